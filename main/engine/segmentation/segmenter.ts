import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Click } from '../../../contract/click-select.ts';
import type { Segment, SegmentRequest } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { SamDecoder } from '../../../models/segmentation/sam-graphs.ts';
import { openSam, type SamPair } from '../../../models/segmentation/sam-pair.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import { loadSamples } from '../image/load-image.ts';
import { clickedOn, toSelection } from '../image/selection.ts';
import type { Tensors } from '../runtime/session.ts';
import { type Component, modelIdentity, type SessionCache } from '../runtime/session-cache.ts';
import { float32Data, type Tensor, tensor } from '../runtime/tensor.ts';
import { EmbeddingCache, type Embeddings } from './embedding-cache.ts';
import { chosenMask, type LowLogits, logitsAt } from './mask-logits.ts';
import { pictureInput, type Size, sizeWithin } from './picture-input.ts';

/**
 * Selects by clicks with a Segment Anything model. Both halves run on the CPU: the decoder is small, and the encoder, once for a
 * picture, leaves a graphics card's memory to what is drawn.
 */
export class Segmenter {
  readonly #cache: SessionCache;
  readonly #embeddings = new EmbeddingCache();
  #encoded = 0;

  constructor(cache: SessionCache) {
    this.#cache = cache;
  }

  /** Pictures that went through an encoder so far. */
  get encoded(): number {
    return this.#encoded;
  }

  /** Gives up what is kept of pictures. */
  forget(): void {
    this.#embeddings.clear();
  }

  /**
   * @throws ImpastoError `MASK_INVALID` for clicks beyond the picture or none inside; what reading a picture and opening a model
   *   throw (`openSam`); `OUT_OF_MEMORY`; `ENGINE_ERROR` where the model gives no numbers
   */
  async segment({ picture, model, clicks }: SegmentRequest): Promise<Segment> {
    const clicked = await clickedOn(picture, clicks);
    const { low, score } = await this.logits(await openSam(model), picture, clicked);
    const { width, height } = clicked;
    const logits = logitsAt(low.mask, low.side, { width, height });
    const mask = logits.map((logit) => (logit > 0 ? 1 : 0));
    return { ...(await toSelection(mask, width, height)), score };
  }

  /** The chosen mask's logits over the padded square, and the IoU that the decoder expects of it. */
  async logits(
    sam: SamPair,
    picture: string,
    clicked: Size & { clicks: readonly Click[] },
  ): Promise<{ low: { mask: LowLogits; side: number }; score: number }> {
    const { encoder, decoder, side } = sam;
    const identity = await modelIdentity([...encoder.files, ...decoder.files]);
    const content = await contentHash(picture);
    const embedded = await this.#embeddings.of(`${identity}\n${content}`, () => this.#encode(sam, picture));
    const inner = sizeWithin(clicked, side);
    const points = clicked.clicks.map(({ x, y, inside }) => ({
      // Meta counts whole pixels, and adds the half itself.
      x: (Math.floor(x) * inner.width) / clicked.width,
      y: (Math.floor(y) * inner.height) / clicked.height,
      label: inside ? 1 : 0,
    }));
    const results = await this.#run(
      'segmentation-decoder',
      decoder,
      decoderWork,
      (inputs) => decoderFeeds(decoder.layout, points, embedded, { side, inner, inputs }),
      [decoder.masks, decoder.scores],
    );
    const scores = float32Data(results[decoder.scores] as Tensor);
    const { data, shape } = results[decoder.masks] as Tensor;
    const [rows = 0, columns = 0] = shape.slice(-2);
    const size = rows * columns;
    if (size === 0 || data.length !== scores.length * size) {
      throw broken(decoder.path, `gave masks [${shape.join(', ')}] and ${scores.length} scores`);
    }
    const chosen = chosenMask(scores, clicked.clicks.length);
    const mask = float32Data({ data, shape }).slice(chosen * size, (chosen + 1) * size);
    const score = scores[chosen] as number;
    if (!Number.isFinite(score) || !mask.every(Number.isFinite))
      throw broken(decoder.path, 'gave numbers that are none (NaN)');
    return { low: { mask: { data: mask, rows, columns }, side }, score };
  }

  async #encode({ encoder, side }: SamPair, picture: string): Promise<Embeddings> {
    const input = pictureInput(await loadSamples(picture), side, encoder.takes);
    const wanted = [encoder.embeddings, ...(encoder.positions === null ? [] : [encoder.positions])];
    const results = await this.#run(
      'segmentation-encoder',
      encoder,
      encoderWork(side),
      () => ({ [encoder.input]: input }),
      wanted,
    );
    this.#encoded += 1;
    const embeddings = results[encoder.embeddings] as Tensor;
    if (!float32Data(embeddings).every(Number.isFinite)) throw broken(encoder.path, 'gave numbers that are none (NaN)');
    return { embeddings, positions: encoder.positions === null ? null : (results[encoder.positions] as Tensor) };
  }

  async #run(
    component: Component,
    { path, files, bytes }: { path: string; files: readonly string[]; bytes: number },
    working: number,
    feeds: (inputs: readonly { name: string; shape: readonly (number | string)[] }[]) => Tensors,
    wanted: readonly string[],
  ): Promise<Record<string, Tensor>> {
    const key = { model: await modelIdentity(files), component, variant: '', provider: 'cpu' } as const;
    const recipe = { source: () => ({ path }), bytes: bytes + working };
    return this.#cache.use(key, recipe, (session) => session.run(feeds(session.inputs), wanted));
  }
}

/** Working bytes of a decoder: a few thousand tokens of 256 channels. */
const decoderWork = 150e6;

/** Working bytes of an encoder: logits and softmax of one global attention, of twelve heads as ViT-B has them, and its features. */
function encoderWork(side: number): number {
  const tokens = (side / 16) ** 2;
  return 150e6 + 2 * 12 * tokens ** 2 * 4;
}

interface Point {
  x: number;
  y: number;
  /** 1 inside, 0 outside. */
  label: number;
}

function decoderFeeds(
  layout: SamDecoder['layout'],
  points: readonly Point[],
  { embeddings, positions }: Embeddings,
  {
    side,
    inner,
    inputs,
  }: { side: number; inner: Size; inputs: readonly { name: string; shape: readonly (number | string)[] }[] },
): Tensors {
  if (layout === 'optimum') {
    const count = points.length;
    return {
      input_points: tensor(Float32Array.from(points.flatMap(({ x, y }) => [x, y])), [1, 1, count, 2]),
      input_labels: tensor(
        Float32Array.from(points, ({ label }) => label),
        [1, 1, count],
      ),
      image_embeddings: embeddings,
      image_positional_embeddings: positions as Tensor,
    };
  }
  // A point that is none stands for the box that was not drawn; Optimum's graph adds it itself.
  const padded = [...points, { x: 0, y: 0, label: -1 }];
  const prompt = {
    image_embeddings: embeddings,
    point_coords: tensor(Float32Array.from(padded.flatMap(({ x, y }) => [x, y])), [1, padded.length, 2]),
    point_labels: tensor(
      Float32Array.from(padded, ({ label }) => label),
      [1, padded.length],
    ),
  };
  if (layout === 'edge-sam') return prompt;
  const rows = inputs.find(({ name }) => name === 'mask_input')?.shape[2];
  const low = typeof rows === 'number' && rows > 0 ? rows : side / 4;
  return {
    ...prompt,
    mask_input: tensor(new Float32Array(low * low), [1, 1, low, low]),
    has_mask_input: tensor(Float32Array.of(0), [1]),
    // Only for its own full-size masks, which are not used: small ones cost it least.
    orig_im_size: tensor(Float32Array.of(inner.height, inner.width), [2]),
  };
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (thrown) {
    throw readError(thrown, path);
  }
  return hash.digest('hex');
}

function broken(path: string, what: string): ImpastoError {
  return new ImpastoError(
    'ENGINE_ERROR',
    `${path} ${what}.`,
    'The file is damaged or of another kind: export or download it again.',
  );
}
