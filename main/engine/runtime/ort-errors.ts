import { byteSize } from '../../../contract/byte-size.ts';
import { type ErrorCode, ImpastoError } from '../../../contract/errors.ts';
import type { ProviderName } from '../../../contract/request.ts';
import { systemMemory } from './system-memory.ts';

export interface FailureContext {
  /** What was being loaded or run, e.g. `unet`. */
  name: string;
  provider: ProviderName;
  doing: 'load' | 'run';
}

interface Rule {
  pattern: RegExp;
  code: ErrorCode;
  message: (match: RegExpExecArray, context: FailureContext) => string;
  remedy: string;
}

/** ONNX Runtime has no error codes in Node: what went wrong is told by its words alone (1.30). */
const rules: Rule[] = [
  {
    pattern:
      /Failed to allocate memory|bad.?alloc|out of memory|Allocation size too large|E_OUTOFMEMORY|exceeds the max buffer size|MaxBufferSize|Not enough memory/i,
    code: 'OUT_OF_MEMORY',
    message: ({ input }, { name, provider, doing }) => {
      const wanted = /size (?:of )?\(?(\d+)/i.exec(input)?.[1];
      const asked = wanted ? `: ${byteSize(Number(wanted))} at once was refused` : '';
      const free = byteSize(systemMemory().available);
      return `Memory ran out while ${doing === 'load' ? 'loading' : 'running'} ${name} on ${provider}${asked}; the system has ${free} free.`;
    },
    remedy: 'Choose a smaller picture, turn on tiled VAE, close other programs or choose another provider.',
  },
  {
    pattern: /External data path does not exist: "([^"]*)"|cannot open file.*?"([^"]*)"/i,
    code: 'FILE_NOT_FOUND',
    message: (match, { name }) => `${name} has its weights in ${match[1] ?? match[2]}, which is not there.`,
    remedy: 'Put the file back, or open the model again where it lies now.',
  },
  {
    pattern: /External initializer: (\S+) offset: .*out of bounds/i,
    code: 'TENSOR_OUT_OF_RANGE',
    message: (match, { name }) => `The tensor ${match[1]} of ${name} lies beyond the end of its file.`,
    remedy: 'The file was cut short or has changed since it was opened: download it again.',
  },
  {
    pattern: /TensorProto: (\S+) external data size mismatch/i,
    code: 'TENSOR_SHAPE',
    message: (match, { name }) => `The tensor ${match[1]} of ${name} has not as many bytes as its shape needs.`,
    remedy: 'The file is damaged: download it again.',
  },
  {
    pattern: /Absolute path not allowed|escapes/i,
    code: 'PATH_ESCAPES',
    message: (_, { name }) => `${name} names weights outside its own folder, which is refused.`,
    remedy: 'Put the weights beside the model file.',
  },
  {
    pattern: /protobuf parsing failed|This is an invalid model|No Op registered|INVALID_GRAPH/i,
    code: 'CONFIG_INVALID',
    message: ({ input }, { name }) => `${name} is not a model that ONNX Runtime can run: ${firstLine(input)}`,
    remedy: 'Export or download it again.',
  },
  {
    pattern: /device (?:is|was)? ?lost|DXGI_ERROR_DEVICE|VK_ERROR_DEVICE_LOST/i,
    code: 'ENGINE_ERROR',
    message: (_, { provider, name }) => `The graphics driver stopped while ${provider} was running ${name}.`,
    remedy: 'Try again; if it happens again choose a smaller picture, update the driver or choose the cpu provider.',
  },
  {
    pattern:
      /backend not found|no available backend|WebGPU adapter|Failed to load shared library|providers_\w+\.(?:so|dll)/i,
    code: 'PROVIDER_UNAVAILABLE',
    message: ({ input }, { provider }) => `The provider ${provider} cannot be used here: ${providerFailure(input)}.`,
    remedy: 'Choose another provider, or `auto`.',
  },
];

/** Anything that ONNX Runtime threw as one clear error; the runtime's own words stay as the cause. */
export function ortError(thrown: unknown, context: FailureContext): ImpastoError {
  if (thrown instanceof ImpastoError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  for (const { pattern, code, message, remedy } of rules) {
    const match = pattern.exec(text);
    if (match) return new ImpastoError(code, message(match, context), remedy, { cause: thrown });
  }
  const doing = context.doing === 'load' ? 'load' : 'run';
  return new ImpastoError(
    'ENGINE_ERROR',
    `ONNX Runtime could not ${doing} ${context.name} on ${context.provider}: ${firstLine(text)}`,
    'Try another provider; if it fails there too, please report it with this message.',
    { cause: thrown },
  );
}

/** Why a provider did not start, in words a person can act on. */
export function providerFailure(text: string): string {
  if (/backend not found|no available backend/i.test(text)) return 'this build of ONNX Runtime does not have it';
  if (/No supported adapters|WebGPU adapter/i.test(text)) {
    return 'no graphics adapter with Vulkan, Metal or Direct3D 12 was found';
  }
  if (/Failed to load shared library|providers_\w+\.(?:so|dll)/i.test(text)) {
    return "ONNX Runtime's CUDA libraries are not installed";
  }
  return firstLine(text);
}

function firstLine(text: string): string {
  // Source places of the runtime's own build say nothing to a reader.
  const line = text.replace(/^\S*\/onnxruntime\/\S+:\d+ /, '').split('\n')[0] ?? '';
  return line.length > 400 ? `${line.slice(0, 400)}...` : line;
}
