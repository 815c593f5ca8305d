import type { ProviderName } from '../../../contract/request.ts';
import { float16Graph, fusedAttentionGraph, plainAttentionGraph, probeHeads, productsGraph } from './probe-graphs.ts';
import { buildSession, type ModelSession, type ModelSource, type Tensors } from './session.ts';
import { float32Data, tensor } from './tensor.ts';

/** What a provider showed it can do on this machine. */
export interface ProbeFindings {
  /** `com.microsoft` MultiHeadAttention runs there and is right. Where not, author plain attention. */
  fusedAttention: boolean;
  /** fp16 tensors can be computed with. */
  float16: boolean;
  /** How many times as fast as the CPU it multiplies matrices. */
  speed: number;
}

/** Sides of the square matrices: the small one sorts out software adapters before the large one takes its time. */
const smallSide = 256;
const largeSide = 1024;
/** Below this share of the CPU's speed in small products, large ones will not be faster either. */
const hopeless = 0.1;

/** Tokens, keys and width of a head as Stable Diffusion has them, small; long enough to need more than one tile. */
const attentionCases = [
  { tokens: 64, keys: 64, head: 40 },
  { tokens: 96, keys: 77, head: 40 },
  { tokens: 77, keys: 77, head: 64 },
  { tokens: 40, keys: 40, head: 160 },
  { tokens: 36, keys: 36, head: 512 },
];

/** Largest difference that is rounding, relative to the largest value; reduced-precision products stay below it. */
const tolerance = 5e-3;

/**
 * Loads and runs small graphs on a provider in this process and compares them with the CPU.
 * @throws ImpastoError `PROVIDER_UNAVAILABLE` where it does not start, else what `buildSession` and `run` throw; Error
 *   where it runs but computes something else than the CPU does
 */
export async function probe(provider: ProviderName): Promise<ProbeFindings> {
  const products = productsGraph();
  // CoreML takes what it likes of a graph whose sizes are not fixed; that is no reason to call it absent.
  const strict = provider !== 'coreml';
  const speed = await withSession(
    products,
    provider,
    (there) =>
      withSession(products, 'cpu', async (here) => {
        const small = await compare(there, here, smallSide);
        return small < hopeless ? small : compare(there, here, largeSide);
      }),
    strict,
  );
  return { speed, fusedAttention: await attentionIsRight(provider), float16: await hasFloat16(provider) };
}

/** Times as fast as `here`, after seeing that both give the same. */
async function compare(there: ModelSession, here: ModelSession, side: number): Promise<number> {
  const x = tensor(noise(side * side, 1), [side, side]);
  // A factor of this size keeps the products as large as x.
  const w = tensor(noise(side * side, Math.sqrt(3 / side)), [side, side]);
  const [theirs, ours] = [await there.run({ x, w }), await here.run({ x, w })];
  if (difference(theirs.y?.data, ours.y?.data) > tolerance) {
    throw new Error('it multiplies matrices wrongly on this adapter: update the graphics driver');
  }
  return (await seconds(here, { x, w })) / (await seconds(there, { x, w }));
}

async function seconds(session: ModelSession, feeds: Tensors): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 2; round += 1) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

async function attentionIsRight(provider: ProviderName): Promise<boolean> {
  try {
    return await withSession(fusedAttentionGraph(), provider, (fused) =>
      withSession(plainAttentionGraph(), 'cpu', async (plain) => {
        for (const { tokens, keys, head } of attentionCases) {
          const width = probeHeads * head;
          const q = tensor(noise(tokens * width, 2), [1, tokens, width]);
          const k = tensor(noise(keys * width, 2), [1, keys, width]);
          const v = tensor(noise(keys * width, 2), [1, keys, width]);
          const scale = tensor(Float32Array.of(1 / Math.sqrt(head)), []);
          const [theirs, ours] = [await fused.run({ q, k, v }), await plain.run({ q, k, v, scale })];
          if (difference(theirs.y?.data, ours.y?.data) > tolerance) return false;
        }
        return true;
      }),
    );
  } catch {
    // Not placed there, or it does not run: either way the graph must do without.
    return false;
  }
}

async function hasFloat16(provider: ProviderName): Promise<boolean> {
  try {
    const y = await withSession(float16Graph(), provider, async (session) => {
      const result = await session.run({ x: tensor(Float32Array.of(1.5, -2), [2]) });
      return result.y ? float32Data(result.y) : undefined;
    });
    return difference(y, Float32Array.of(2.25, 4)) < tolerance;
  } catch {
    return false;
  }
}

/** A session for as long as `work` takes; `strict`: every node runs on the provider, or it does not load. */
async function withSession<T>(
  source: ModelSource,
  provider: ProviderName,
  work: (session: ModelSession) => Promise<T>,
  strict = true,
): Promise<T> {
  const session = await buildSession(source, {
    name: 'the self-test',
    provider,
    strict: strict && provider !== 'cpu',
    checkPlacement: false,
  });
  try {
    return await work(session);
  } finally {
    await session.release();
  }
}

/** Largest difference relative to the largest value; infinite where the two cannot be compared. */
function difference(a: ArrayLike<number | bigint> | undefined, b: ArrayLike<number | bigint> | undefined): number {
  if (!a || !b || a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  let largest = 0;
  for (let index = 0; index < b.length; index += 1) {
    const gap = Math.abs(Number(a[index]) - Number(b[index]));
    if (!Number.isFinite(gap)) return Number.POSITIVE_INFINITY;
    most = Math.max(most, gap);
    largest = Math.max(largest, Math.abs(Number(b[index])));
  }
  return largest === 0 ? most : most / largest;
}

/** Uniform numbers in [-scale, scale], the same each time (a linear congruential generator). */
function noise(length: number, scale: number): Float32Array {
  let state = 12345;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2 ** 31 - 1);
  });
}
