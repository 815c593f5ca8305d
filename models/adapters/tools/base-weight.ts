import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { readTensor } from '../../weights/safetensors.ts';
import type { ToolLayer } from './tool-layer.ts';

/** The weight that a layer changes, flat; null where an ONNX file holds it, or the layer has another size. */
export async function baseWeight(checkpoint: Checkpoint, layer: ToolLayer): Promise<Float32Array | null> {
  const part = {
    unet: checkpoint.unet,
    textEncoder: checkpoint.textEncoder?.part,
    textEncoder2: checkpoint.textEncoder2?.part,
  }[layer.network];
  const ref = part?.source === 'weights' ? part.weights.get(`${layer.module}.weight`) : undefined;
  if (!ref) return null;
  const weight = await readTensor(ref);
  return weight.length === (layer.out * layer.down.length) / layer.rank ? weight : null;
}
