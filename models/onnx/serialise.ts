import { dirname, isAbsolute, parse as parsePath, relative, resolve } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ImpastoError } from '../../contract/errors.ts';
import type { WeightDtype, WeightRef } from '../weights/weight-map.ts';
import type { Attribute, DataType, Dim, Graph, GraphNode, GraphPort, Initializer } from './graph.ts';
import { dataTypes } from './graph.ts';
import type { AttributeProto, TensorProto, ValueInfoProto } from './onnx_pb.js';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './onnx_pb.js';

/** A model as ONNX Runtime takes it: bytes, and the folder that external data is relative to. */
export interface SerialisedModel {
  bytes: Uint8Array;
  /** Root of the drive that the weights lie on, with its separator. */
  externalFolder: string;
}

const typeNames = new Map<number, DataType>(Object.entries(dataTypes).map(([name, id]) => [id, name as DataType]));

/**
 * The graph as a ModelProto in bytes. Weights are not copied: each initializer names file, offset and length.
 * External data is relative to the drive's root, so that files of several folders can mix in one graph.
 * @throws ImpastoError `PATH_ESCAPES` where the weights lie on two drives.
 */
export function serialise(graph: Graph): SerialisedModel {
  const roots = new Set<string>();
  for (const { data } of graph.initializers.values()) {
    if ('external' in data) roots.add(parsePath(data.external.file).root);
  }
  if (roots.size > 1) {
    throw new ImpastoError(
      'PATH_ESCAPES',
      `The weights of ${graph.name} lie on several drives: ${[...roots].join(', ')}.`,
      'Put the model and everything it is combined with on one drive.',
    );
  }
  const externalFolder = [...roots][0] ?? parsePath(process.cwd()).root;
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(graph.irVersion),
    producerName: 'impasto',
    opsetImport: Object.entries(graph.opsets).map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: graph.nodes.map(nodeProto),
      initializer: [...graph.initializers.values()].map((initializer) => tensorProto(initializer, externalFolder)),
      input: graph.inputs.map(portProto),
      output: graph.outputs.map(portProto),
    }),
  });
  return { bytes: toBinary(ModelProtoSchema, model), externalFolder };
}

function nodeProto(node: GraphNode) {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute)),
  });
}

function attributeProto(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.type) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRING,
        s: new TextEncoder().encode(attribute.value),
      });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: attribute.value.map(BigInt) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: tensorProto(attribute.value, '') });
    case 'raw':
      return fromBinary(AttributeProtoSchema, attribute.value);
  }
}

function tensorProto(initializer: Initializer, externalFolder: string): TensorProto {
  const tensor = create(TensorProtoSchema, {
    name: initializer.name,
    dataType: dataTypes[initializer.dtype],
    dims: initializer.dims.map(BigInt),
  });
  const { data } = initializer;
  if ('inline' in data) {
    tensor.rawData = data.inline as Uint8Array<ArrayBuffer>;
    return tensor;
  }
  const { file, offset, length } = data.external;
  tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
  const entries = [
    ['location', relative(externalFolder, file).replaceAll('\\', '/')],
    ['offset', String(offset)],
    ['length', String(length)],
  ] as const;
  tensor.externalData = entries.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
  return tensor;
}

function portProto(port: GraphPort): ValueInfoProto {
  const dim = port.dims.map((size: Dim) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof size === 'number' ? { case: 'dimValue', value: BigInt(size) } : { case: 'dimParam', value: size },
    }),
  );
  return create(ValueInfoProtoSchema, {
    name: port.name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType: dataTypes[port.dtype],
          shape: create(TensorShapeProtoSchema, { dim }),
        }),
      },
    }),
  });
}

/**
 * An ONNX file's graph as plain data. Attributes that an authored graph never has are kept byte for byte.
 * @param path of the file, which its external data is relative to
 * @throws ImpastoError `CONFIG_INVALID` where the bytes are no ONNX model, `PATH_ESCAPES` where its data lies elsewhere.
 */
export function parseModel(bytes: Uint8Array, path: string): Graph {
  let model: ReturnType<typeof fromBinary<typeof ModelProtoSchema>>;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new ImpastoError('CONFIG_INVALID', `${path} is not an ONNX model.`, 'Export or download it again.', {
      cause,
    });
  }
  const graph = model.graph;
  if (!graph) {
    throw new ImpastoError('CONFIG_INVALID', `${path} holds no graph.`, 'Export or download it again.');
  }
  return {
    name: graph.name,
    irVersion: Number(model.irVersion),
    opsets: Object.fromEntries(model.opsetImport.map((opset) => [opset.domain, Number(opset.version)])),
    nodes: graph.node.map((node) => ({
      name: node.name,
      op: node.opType,
      domain: node.domain,
      inputs: [...node.input],
      outputs: [...node.output],
      attributes: Object.fromEntries(node.attribute.map((attribute) => [attribute.name, importAttribute(attribute)])),
    })),
    initializers: new Map(graph.initializer.map((tensor) => [tensor.name, importTensor(tensor, path)])),
    inputs: graph.input.filter((port) => !graph.initializer.some((t) => t.name === port.name)).map(importPort),
    outputs: graph.output.map(importPort),
  };
}

function importAttribute(attribute: AttributeProto): Attribute {
  if (attribute.type === AttributeType.INT && Number.isSafeInteger(Number(attribute.i))) {
    return { type: 'int', value: Number(attribute.i) };
  }
  if (attribute.type === AttributeType.INTS && attribute.ints.every((value) => Number.isSafeInteger(Number(value)))) {
    return { type: 'ints', value: attribute.ints.map(Number) };
  }
  if (attribute.type === AttributeType.FLOAT) return { type: 'float', value: attribute.f };
  if (attribute.type === AttributeType.FLOATS) return { type: 'floats', value: attribute.floats };
  if (attribute.type === AttributeType.STRING) return { type: 'string', value: new TextDecoder().decode(attribute.s) };
  return { type: 'raw', value: toBinary(AttributeProtoSchema, attribute) };
}

function importTensor(tensor: TensorProto, path: string): Initializer {
  const dtype = typeNames.get(tensor.dataType);
  if (!dtype) {
    throw new ImpastoError(
      'TENSOR_DTYPE',
      `The tensor ${tensor.name} has an element type that Impasto does not know (${tensor.dataType}).`,
      'Export the model again in fp32 or fp16.',
    );
  }
  const common = { name: tensor.name, dtype, dims: tensor.dims.map(Number) };
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return { ...common, data: { external: externalRef(tensor, common, path) } };
  }
  return { ...common, data: { inline: inlineBytes(tensor, dtype) } };
}

const weightDtypes: Partial<Record<DataType, WeightDtype>> = {
  double: 'F64',
  float: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};
const elementBytes: Partial<Record<WeightDtype, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2 };

/** Where an exported model's external data lies; it may not leave the model's folder. */
function externalRef(
  tensor: TensorProto,
  { dtype, dims }: Pick<Initializer, 'dtype' | 'dims'>,
  path: string,
): WeightRef {
  const entry = (key: string) => tensor.externalData.find((item) => item.key === key)?.value;
  const folder = dirname(path);
  const file = resolve(folder, entry('location') ?? '');
  if (relative(folder, file).startsWith('..') || isAbsolute(relative(folder, file))) {
    throw new ImpastoError(
      'PATH_ESCAPES',
      `${path} keeps its weights outside its own folder: ${entry('location')}.`,
      'Put the data file beside the model and export it again.',
    );
  }
  const stored = weightDtypes[dtype] ?? 'U8';
  const whole = dims.reduce((a, b) => a * b, 1) * (elementBytes[stored] ?? 1);
  return {
    file,
    dtype: stored,
    shape: dims,
    offset: Number(entry('offset') ?? 0),
    length: Number(entry('length') ?? whole),
  };
}

/** Bytes of a tensor whatever field holds them. */
function inlineBytes(tensor: TensorProto, dtype: DataType): Uint8Array {
  if (tensor.rawData.length > 0) return tensor.rawData;
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  switch (dtype) {
    case 'float':
      return bytes(Float32Array.from(tensor.floatData));
    case 'double':
      return bytes(Float64Array.from(tensor.doubleData));
    case 'int64':
      return bytes(BigInt64Array.from(tensor.int64Data));
    case 'int32':
      return bytes(Int32Array.from(tensor.int32Data));
    case 'int16':
    case 'float16':
    case 'bfloat16':
      return bytes(Uint16Array.from(tensor.int32Data));
    case 'uint8':
    case 'int8':
    case 'bool':
      return Uint8Array.from(tensor.int32Data);
    case 'string':
      return new Uint8Array(0);
  }
}

function importPort(port: ValueInfoProto): GraphPort {
  const tensor = port.type?.value.case === 'tensorType' ? port.type.value.value : undefined;
  return {
    name: port.name,
    dtype: typeNames.get(tensor?.elemType ?? 1) ?? 'float',
    dims: (tensor?.shape?.dim ?? []).map((dim, index) =>
      dim.value.case === 'dimValue' ? Number(dim.value.value) : (dim.value.value ?? `${port.name}_${index}`),
    ),
  };
}
