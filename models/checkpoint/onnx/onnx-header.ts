import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ImpastoError } from '../../../contract/errors.ts';
import { readError } from '../../weights/file-errors.ts';

/**
 * What an ONNX file's outline tells: its inputs and outputs, how many parameters it holds and which data files it wants.
 * Walks the protobuf's fields and passes over the weights, so a model of 2 GB costs as little as one of 2 MB.
 *
 * Field numbers: onnx.proto (ModelProto.graph 7; GraphProto node 1, initializer 5, input 11, output 12; TensorProto
 * dims 1, data_type 2, name 8, external_data 13).
 */

export interface OnnxPort {
  name: string;
  /** ONNX element type: 1 float, 6 int32, 7 int64, 10 float16. */
  elementType: number;
  /** null where a side is known only when the graph runs. */
  dims: (number | null)[];
}

export interface OnnxInitializer {
  name: string;
  dtype: string;
  shape: number[];
}

export interface OnnxHeader {
  inputs: OnnxPort[];
  outputs: OnnxPort[];
  initializers: OnnxInitializer[];
  /** Data files beside the model that it names. */
  externalFiles: Set<string>;
  fileSize: number;
}

/** Names by number of ONNX's float types, as safetensors calls them; others keep ONNX's number. */
const floatTypes: Record<number, string> = { 1: 'F32', 10: 'F16', 11: 'F64', 16: 'BF16' };

const windowLength = 64 * 1024;

/** Reads forward through a file, buffered; `skip` costs nothing however far. */
class Cursor {
  at = 0;
  readonly size: number;
  readonly #file: string;
  readonly #descriptor: number;
  readonly #window = Buffer.alloc(windowLength);
  #windowStart = 0;
  #windowEnd = 0;

  constructor(descriptor: number, file: string) {
    this.#descriptor = descriptor;
    this.#file = file;
    this.size = fstatSync(descriptor).size;
  }

  fail(): ImpastoError {
    return new ImpastoError(
      'HEADER_INVALID',
      `${this.#file} is not a whole ONNX file.`,
      'The download or export did not finish: get the file again.',
    );
  }

  byte(): number {
    if (this.at < this.#windowStart || this.at >= this.#windowEnd) {
      this.#windowStart = this.at;
      this.#windowEnd = this.at + readSync(this.#descriptor, this.#window, 0, windowLength, this.at);
      if (this.at >= this.#windowEnd) throw this.fail();
    }
    return this.#window[this.at++ - this.#windowStart] as number;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.fail();
  }

  text(length: number): string {
    if (length > 4096) throw this.fail();
    return Buffer.from(Array.from({ length }, () => this.byte())).toString('utf8');
  }

  /**
   * The fields of the message that ends at `end`. `visit` may take a field's payload in part or not at all; a number
   * stands for a varint's value, or for a payload's end.
   */
  fields(end: number, visit: (field: number, wire: number, value: number) => void): void {
    while (this.at < end) {
      const tag = this.varint();
      const field = Math.floor(tag / 8);
      const wire = tag % 8;
      if (wire === 0) visit(field, wire, this.varint());
      else if (wire === 1) this.at += 8;
      else if (wire === 5) this.at += 4;
      else if (wire === 2) {
        const length = this.varint();
        const payloadEnd = this.at + length;
        if (payloadEnd > end) throw this.fail();
        visit(field, wire, payloadEnd);
        this.at = payloadEnd;
      } else throw this.fail();
    }
    if (this.at !== end) throw this.fail();
  }
}

/** @throws ImpastoError `HEADER_INVALID` where it is no whole ONNX file, or `FILE_...`. */
export function readOnnxHeader(path: string): OnnxHeader {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const cursor = new Cursor(descriptor, path);
    const header: OnnxHeader = {
      inputs: [],
      outputs: [],
      initializers: [],
      externalFiles: new Set(),
      fileSize: cursor.size,
    };
    cursor.fields(cursor.size, (field, wire, end) => {
      if (field === 7 && wire === 2) readGraph(cursor, end, header);
    });
    if (header.outputs.length === 0) throw cursor.fail();
    return header;
  } catch (thrown) {
    throw readError(thrown, path);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readGraph(cursor: Cursor, end: number, header: OnnxHeader): void {
  cursor.fields(end, (field, wire, payloadEnd) => {
    if (wire !== 2) return;
    if (field === 5) readTensor(cursor, payloadEnd, header);
    else if (field === 11) header.inputs.push(readPort(cursor, payloadEnd));
    else if (field === 12) header.outputs.push(readPort(cursor, payloadEnd));
  });
}

function readTensor(cursor: Cursor, end: number, header: OnnxHeader): void {
  const tensor: OnnxInitializer = { name: '', dtype: '', shape: [] };
  cursor.fields(end, (field, wire, value) => {
    if (field === 1 && wire === 0) tensor.shape.push(value);
    else if (field === 1) while (cursor.at < value) tensor.shape.push(cursor.varint());
    else if (field === 2) tensor.dtype = floatTypes[value] ?? String(value);
    else if (field === 8) tensor.name = cursor.text(value - cursor.at);
    else if (field === 13) {
      const [key, text] = readEntry(cursor, value);
      if (key === 'location') header.externalFiles.add(text);
    }
  });
  header.initializers.push(tensor);
}

function readEntry(cursor: Cursor, end: number): [key: string, value: string] {
  const entry: [string, string] = ['', ''];
  cursor.fields(end, (field, wire, payloadEnd) => {
    if (wire === 2 && (field === 1 || field === 2)) entry[field - 1] = cursor.text(payloadEnd - cursor.at);
  });
  return entry;
}

/** ValueInfoProto: name 1, type 2 -> tensor_type 1 -> elem_type 1, shape 2 -> dim 1 -> dim_value 1. */
function readPort(cursor: Cursor, end: number): OnnxPort {
  const port: OnnxPort = { name: '', elementType: 0, dims: [] };
  cursor.fields(end, (field, wire, portEnd) => {
    if (field === 1 && wire === 2) port.name = cursor.text(portEnd - cursor.at);
    if (field !== 2 || wire !== 2) return;
    cursor.fields(portEnd, (typeField, typeWire, typeEnd) => {
      if (typeField !== 1 || typeWire !== 2) return;
      cursor.fields(typeEnd, (tensorField, tensorWire, value) => {
        if (tensorField === 1 && tensorWire === 0) port.elementType = value;
        if (tensorField === 2 && tensorWire === 2) readDims(cursor, value, port.dims);
      });
    });
  });
  return port;
}

function readDims(cursor: Cursor, end: number, dims: (number | null)[]): void {
  cursor.fields(end, (field, wire, dimEnd) => {
    if (field !== 1 || wire !== 2) return;
    let dim: number | null = null;
    cursor.fields(dimEnd, (dimField, dimWire, value) => {
      if (dimField === 1 && dimWire === 0) dim = value;
    });
    dims.push(dim);
  });
}
