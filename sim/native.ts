/** Reads ClickHouse Native blocks back into rows: what the simulated ClickHouse holds and the checkers compare. */

export type Value = string | number | Value[];
export type Row = Record<string, Value>;

/** Values of some columns of a row, as one text. */
export function textOf(row: Row, names: readonly string[]): string {
  return JSON.stringify(names.map((name) => row[name]));
}

export function readBlock(block: Buffer): Row[] {
  const reader = new Reader(block);
  const columns = reader.varint();
  const count = reader.varint();
  const rows: Row[] = Array.from({ length: count }, () => ({}));
  for (let column = 0; column < columns; column++) {
    const name = reader.string();
    const type = reader.string();
    readPrefix(reader, type);
    const values = readColumn(reader, type, count);
    for (let row = 0; row < count; row++) (rows[row] as Row)[name] = values[row] as Value;
  }
  if (!reader.atEnd) throw new Error('A block has bytes behind its last column.');
  return rows;
}

class Reader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  }

  string(): string {
    const length = this.varint();
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  take(bytes: number): number {
    this.at += bytes;
    if (this.at > this.bytes.length) throw new Error('A block is cut short.');
    return this.at - bytes;
  }

  unsigned(width: number): number {
    const at = this.take(width);
    if (width === 8) return this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * 4_294_967_296;
    return this.bytes.readUIntLE(at, width);
  }

  /** 64 bits that a double may not hold, as text. */
  wide(): string {
    return this.bytes.readBigInt64LE(this.take(8)).toString();
  }

  float(width: number): number {
    const at = this.take(width);
    return width === 4 ? this.bytes.readFloatLE(at) : this.bytes.readDoubleLE(at);
  }
}

const widths: Record<string, number> = { UInt8: 1, Bool: 1, UInt16: 2, UInt32: 4, UInt64: 8, 'DateTime64(3)': 8 };

/** The dictionary's version comes before everything else of a column, nested or not. */
function readPrefix(reader: Reader, type: string): void {
  if (type.includes('LowCardinality')) reader.take(8);
}

function readColumn(reader: Reader, type: string, count: number): Value[] {
  const width = widths[type];
  if (width !== undefined) return repeat(count, () => reader.unsigned(width));
  if (type === 'String') return repeat(count, () => reader.string());
  if (type === 'DateTime64(9)') return repeat(count, () => reader.wide());
  if (type === 'Float64') return repeat(count, () => reader.float(8));
  if (type === 'Float32') return repeat(count, () => reader.float(4));
  if (type === 'LowCardinality(String)') return readDictionary(reader, count);
  const inner = type.slice(type.indexOf('(') + 1, -1);
  if (type.startsWith('Array(') || type.startsWith('Map(')) {
    const offsets = repeat(count, () => reader.unsigned(8));
    const total = offsets.at(-1) ?? 0;
    const elements = type.startsWith('Map(')
      ? zip(parts(inner).map((part) => readColumn(reader, part, total)))
      : readColumn(reader, inner, total);
    return offsets.map((end, row) => elements.slice(row === 0 ? 0 : offsets[row - 1], end));
  }
  if (type.startsWith('Tuple('))
    return zip(parts(inner).map((part) => readColumn(reader, part.replace(/^\w+ /, ''), count)));
  throw new Error(`Columns of type ${type} cannot be read.`);
}

function readDictionary(reader: Reader, count: number): Value[] {
  if (count === 0) return [];
  const width = 2 ** (reader.unsigned(8) & 3);
  const keys = repeat(reader.unsigned(8), () => reader.string());
  const rows = reader.unsigned(8);
  if (rows !== count) throw new Error(`A dictionary column has ${rows} rows, not ${count}.`);
  return repeat(count, () => keys[reader.unsigned(width)] as string);
}

function repeat<T>(count: number, read: () => T): T[] {
  const values: T[] = new Array(count);
  for (let i = 0; i < count; i++) values[i] = read();
  return values;
}

function zip(columns: Value[][]): Value[][] {
  return (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] as Value));
}

/** Arguments of a type, at the top level. */
function parts(inner: string): string[] {
  const result: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at <= inner.length; at++) {
    const sign = inner[at];
    if (sign === '(') depth++;
    else if (sign === ')') depth--;
    else if (at === inner.length || (sign === ',' && depth === 0)) {
      result.push(inner.slice(from, at).trim());
      from = at + 1;
    }
  }
  return result;
}
