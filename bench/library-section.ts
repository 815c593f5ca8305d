import { measure } from './measure.ts';
import { milliseconds, percent, type Row, seconds, times } from './results.ts';

interface LibraryFigures {
  pictures: number;
  adapters: number;
  firstModelsSeconds: number;
  firstPicturesSeconds: number;
  startSeconds: number;
  backendStartSeconds: number;
  emptyStartSeconds: number;
  rescanModelsSeconds: number;
  rescanPicturesSeconds: number;
  searchP50Milliseconds: number;
  searchP99Milliseconds: number;
  idleShareOfCore: number;
}

/** A large library: first look, start, search, rest. */
export function librarySection(): Row[] {
  const figures = measure<LibraryFigures>('library.ts');
  const held = `${figures.pictures} pictures, ${figures.adapters} adapters`;
  return [
    {
      what: `first look at ${held}`,
      measured: `${seconds(figures.firstModelsSeconds)} adapters, ${seconds(figures.firstPicturesSeconds)} pictures`,
      bar: 'seconds',
      holds: figures.firstModelsSeconds + figures.firstPicturesSeconds < 60,
    },
    { what: `the index with ${held} opened`, measured: seconds(figures.startSeconds), bar: '', holds: null },
    {
      what: 'start to the first page of the gallery, against a start with nothing',
      measured: `${seconds(figures.backendStartSeconds)} / ${seconds(figures.emptyStartSeconds)} = ${times(figures.backendStartSeconds / figures.emptyStartSeconds)}`,
      bar: 'under 1 s',
      holds: figures.backendStartSeconds < 1,
    },
    {
      what: 'looking for changes at that start',
      measured: `${seconds(figures.rescanModelsSeconds)} adapters, ${seconds(figures.rescanPicturesSeconds)} pictures`,
      bar: '',
      holds: null,
    },
    {
      what: 'search',
      measured: `p50 ${milliseconds(figures.searchP50Milliseconds)}, p99 ${milliseconds(figures.searchP99Milliseconds)}`,
      bar: 'p99 under 50 ms',
      holds: figures.searchP99Milliseconds < 50,
    },
    {
      what: 'idle, all watched',
      measured: `${percent(figures.idleShareOfCore)} of a core`,
      bar: 'near 0: under 1 %',
      holds: figures.idleShareOfCore < 0.01,
    },
  ];
}
