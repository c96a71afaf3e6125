/** OpenTelemetry's AnyValue as text. What is no string becomes what JSON would write, arrays and maps become JSON. */
import { type WireReader, WireError } from './wire.ts';

/** Values within values; the SDKs' own limit is far below. */
export const anyValueDepthMax = 32;
const tooDeep = new WireError(`a value is nested deeper than ${anyValueDepthMax}`);
const double = new DataView(new ArrayBuffer(8));

export const anyTag = {
  string: 0x0a,
  bool: 0x10,
  int: 0x18,
  double: 0x21,
  array: 0x2a,
  map: 0x32,
  bytes: 0x3a,
} as const;

/** Text of the value in [at, end). */
export function anyValueText(reader: WireReader, at: number, end: number): string {
  const out: string[] = [];
  render(reader, at, end, out, 0);
  return out.join('');
}

/** `depth` 0: the value itself, as plain text; deeper: a part of a JSON text. */
function render(reader: WireReader, at: number, end: number, out: string[], depth: number): void {
  if (depth > anyValueDepthMax) throw tooDeep;
  let start = -1;
  let stop = -1;
  let kind = 0;
  let scalar = '';
  const { at: before, end: beforeEnd } = reader;
  reader.within(at, end);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case anyTag.string:
      case anyTag.array:
      case anyTag.map:
      case anyTag.bytes:
        reader.delimited();
        start = reader.start;
        stop = reader.stop;
        kind = tag;
        break;
      case anyTag.bool:
        reader.varint();
        scalar = reader.low === 0 && reader.high === 0 ? 'false' : 'true';
        kind = tag;
        break;
      case anyTag.int:
        reader.varint();
        scalar = reader.signed();
        // Beyond 2^53 JSON's readers lose digits; as a string they are kept.
        if (depth > 0 && !Number.isSafeInteger(Number(scalar))) scalar = `"${scalar}"`;
        kind = tag;
        break;
      case anyTag.double: {
        reader.fixed64();
        double.setUint32(0, reader.high);
        double.setUint32(4, reader.low);
        const value = double.getFloat64(0);
        scalar = depth === 0 || Number.isFinite(value) ? String(value) : `"${value}"`;
        kind = tag;
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  switch (kind) {
    case anyTag.string: {
      const text = reader.bytes.toString('utf8', start, stop);
      out.push(depth === 0 ? text : JSON.stringify(text));
      break;
    }
    case anyTag.bytes: {
      const text = reader.bytes.toString('base64', start, stop);
      out.push(depth === 0 ? text : `"${text}"`);
      break;
    }
    case anyTag.array:
    case anyTag.map:
      list(reader, start, stop, out, depth, kind === anyTag.map);
      break;
    case 0:
      if (depth > 0) out.push('null');
      break;
    default:
      out.push(scalar);
  }
  reader.within(before, beforeEnd);
}

/** ArrayValue and KeyValueList both repeat their field 1. */
function list(reader: WireReader, at: number, end: number, out: string[], depth: number, isMap: boolean): void {
  const { at: before, end: beforeEnd } = reader;
  reader.within(at, end);
  out.push(isMap ? '{' : '[');
  let first = true;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== 0x0a) {
      reader.skip(tag);
      continue;
    }
    reader.delimited();
    const { start, stop } = reader;
    if (!first) out.push(',');
    first = false;
    if (isMap) pair(reader, start, stop, out, depth);
    else render(reader, start, stop, out, depth + 1);
  }
  out.push(isMap ? '}' : ']');
  reader.within(before, beforeEnd);
}

function pair(reader: WireReader, at: number, end: number, out: string[], depth: number): void {
  const { at: before, end: beforeEnd } = reader;
  reader.within(at, end);
  let key = '""';
  let start = at;
  let stop = at;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) {
      reader.delimited();
      key = JSON.stringify(reader.bytes.toString('utf8', reader.start, reader.stop));
    } else if (tag === 0x12) {
      reader.delimited();
      start = reader.start;
      stop = reader.stop;
    } else reader.skip(tag);
  }
  out.push(key, ':');
  render(reader, start, stop, out, depth + 1);
  reader.within(before, beforeEnd);
}
