import cliProgress from 'cli-progress';
import type { ProgressEvent, Stage } from '../../contract/engine.ts';

const stageNames: Record<Stage, string> = {
  open: 'opening',
  load: 'loading',
  'encode-text': 'reading prompt',
  'encode-image': 'encoding picture',
  sample: 'drawing',
  decode: 'decoding',
};

/** A bar on a terminal with step, it/s and time left; a line a stage where the output is no terminal. */
export class ProgressBar {
  readonly #bar: cliProgress.SingleBar | null;
  readonly #stream: NodeJS.WriteStream;
  #stage: string | null = null;
  #sampleBegan = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
    this.#bar = stream.isTTY
      ? new cliProgress.SingleBar({
          format: '{stage} {picture}{bar} {value}/{total} · {speed} · {left}',
          barCompleteChar: '█',
          barIncompleteChar: '░',
          barsize: 28,
          hideCursor: true,
          clearOnComplete: true,
          stream,
        })
      : null;
  }

  update(progress: ProgressEvent): void {
    const { stage, step, steps, image, images, elapsed } = progress;
    const key = `${stage} ${image}`;
    const picture = images > 1 ? `${image + 1}/${images} ` : '';
    if (key !== this.#stage) {
      this.#stage = key;
      if (stage === 'sample') this.#sampleBegan = elapsed;
      if (this.#bar) this.#bar.start(steps, step, this.#payload(progress, picture));
      else if (stage === 'sample') this.#stream.write(`${stageNames[stage]} ${picture}${steps} steps\n`);
      return;
    }
    this.#bar?.setTotal(steps);
    this.#bar?.update(step, this.#payload(progress, picture));
  }

  stop(): void {
    this.#bar?.stop();
  }

  #payload({ stage, step, steps, elapsed }: ProgressEvent, picture: string) {
    const seconds = (elapsed - this.#sampleBegan) / 1000;
    const rate = stage === 'sample' && step > 0 && seconds > 0 ? step / seconds : 0;
    return {
      stage: stageNames[stage],
      picture,
      speed: rate === 0 ? '' : rate >= 1 ? `${rate.toFixed(1)} it/s` : `${(1 / rate).toFixed(1)} s/it`,
      left: rate === 0 ? '' : `${timeLeft((steps - step) / rate)} left`,
    };
  }
}

/** e.g. `42 s`, `3:07`. */
export function timeLeft(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
