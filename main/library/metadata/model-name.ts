/** A model's name without the extension of its weights, as A1111 writes it: `dreamlike-1.0.safetensors` is
 * `dreamlike-1.0`. */
export function plainModelName(name: string): string {
  return name.replace(/\.(safetensors|ckpt|onnx|gguf)$/i, '');
}
