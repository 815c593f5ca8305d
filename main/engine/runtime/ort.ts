/** The one door to ONNX Runtime: no other module imports it. Loading this module loads the native library. */
export { InferenceSession, listSupportedBackends, Tensor as OrtTensor } from 'onnxruntime-node';
