/**
 * Columns of one ClickHouse Native block, gathered from columns of many batches: chunks are kept by reference,
 * dictionaries are merged by remapping indices. Hot path; benchmark: loadtest/bench/storage.bench.ts.
 * Format: clickhouse.com/docs/en/interfaces/formats#native; LowCardinality as in SerializationLowCardinality.cpp.
 */
import { ByteWriter, type Dictionary } from '#protocol/mod.ts';

/** Chunks under this are copied together: a buffer of its own costs more than the copy. */
const copyBytesMax = 4096;
/** Of a list's first slab, and the most; each is twice the one before, as most columns of a quiet cluster's block are tiny. */
const slabBytesMin = 4 * 1024;
const slabBytesMax = 256 * 1024;

/** Bytes in order, by reference where large. */
export class ChunkList {
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  private slab: Uint8Array = new Uint8Array(0);
  private slabBytes = 0;
  private used = 0;
  private taken = 0;

  append(chunk: Uint8Array): void {
    const size = chunk.length;
    if (size === 0) return;
    this.bytes += size;
    if (size > copyBytesMax) {
      this.flush();
      this.chunks.push(chunk);
      return;
    }
    if (this.used + size > this.slab.length) {
      this.flush();
      this.slabBytes = Math.min(Math.max(this.slabBytes * 2, slabBytesMin), slabBytesMax);
      this.slab = new Uint8Array(this.slabBytes);
      this.used = 0;
      this.taken = 0;
    }
    this.slab.set(chunk, this.used);
    this.used += size;
  }

  flush(): void {
    if (this.used > this.taken) this.chunks.push(this.slab.subarray(this.taken, this.used));
    this.taken = this.used;
  }
}

export interface Column {
  readonly type: string;
  readonly bytes: number;
  /** Appends the column's data, without name and type. */
  write(out: ChunkList): void;
}

/** A column whose batches are laid out as the block is: fixed-width numbers, length-prefixed strings. */
export class PlainColumn implements Column {
  readonly type: string;
  readonly data = new ChunkList();

  constructor(type: string) {
    this.type = type;
  }

  get bytes(): number {
    return this.data.bytes;
  }

  append(chunk: Uint8Array): void {
    this.data.append(chunk);
  }

  write(out: ChunkList): void {
    this.data.flush();
    for (const chunk of this.data.chunks) out.append(chunk);
  }
}

const zeros = new Uint8Array(64 * 1024);

/** So many zero bytes: empty strings, or numbers that were not given. */
export function appendZeros(column: PlainColumn, count: number): void {
  for (let left = count; left > 0; left -= zeros.length) column.append(zeros.subarray(0, Math.min(left, zeros.length)));
}

/** Unsigned numbers of one width, mostly runs of the same value. */
export class RunColumn implements Column {
  readonly type: string;
  private data: Uint8Array;
  private rows = 0;
  private readonly width: 2 | 4 | 8;

  constructor(type: string, width: 2 | 4 | 8, rows: number) {
    this.type = type;
    this.width = width;
    this.data = new Uint8Array(rows * width);
  }

  get bytes(): number {
    return this.rows * this.width;
  }

  append(value: number, rows: number): void {
    this.data = grown(this.data, (this.rows + rows) * this.width);
    const { width, data } = this;
    const start = this.rows * width;
    let rest = value;
    for (let i = 0; i < width; i++) {
      data[start + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    const end = start + rows * width;
    // Doubling copies: a run of 500 values takes nine calls.
    for (let at = start + width; at < end; at += at - start) data.copyWithin(at, start, Math.min(at, start + end - at));
    this.rows += rows;
  }

  write(out: ChunkList): void {
    out.append(this.data.subarray(0, this.bytes));
  }
}

function grown(data: Uint8Array, bytes: number): Uint8Array {
  if (bytes <= data.length) return data;
  const larger = new Uint8Array(Math.max(bytes, data.length * 2));
  larger.set(data);
  return larger;
}

const empty = { values: [''], index: zeros };

/** LowCardinality(String): one dictionary for the block, indices as narrow as it allows. */
export class DictionaryColumn implements Column {
  readonly type = 'LowCardinality(String)';
  private readonly ids = new Map<string, number>();
  private readonly keys = new ByteWriter(1024);
  private index: Uint32Array;
  private rows = 0;

  constructor(rows: number) {
    this.index = new Uint32Array(rows);
  }

  get bytes(): number {
    return this.rows * 2 + this.keys.length;
  }

  /** Entries [start, end) of a dictionary column; null stands for empty text. */
  append(dictionary: Dictionary | null, start: number, end: number): void {
    const { values, index } = dictionary ?? empty;
    const single = dictionary === null || values.length === 1;
    if (single) {
      this.appendRun(values[0] as string, end - start);
      return;
    }
    const remap = new Uint32Array(values.length);
    for (let i = 0; i < values.length; i++) remap[i] = this.id(values[i] as string);
    this.reserve(end - start);
    const to = this.index;
    let row = this.rows;
    for (let at = start * 2; at < end * 2; at += 2) {
      to[row++] = remap[(index[at] as number) | ((index[at + 1] as number) << 8)] as number;
    }
    this.rows = row;
  }

  appendRun(value: string, rows: number): void {
    this.reserve(rows);
    this.index.fill(this.id(value), this.rows, this.rows + rows);
    this.rows += rows;
  }

  idsOf(values: readonly string[]): Uint32Array {
    return Uint32Array.from(values, (value) => this.id(value));
  }

  /** Entries by ids that `idsOf` gave. */
  appendIds(ids: Uint32Array): void {
    this.reserve(ids.length);
    for (let i = 0; i < ids.length; i++) this.index[this.rows++] = ids[i] as number;
  }

  /** One value for each row, through an index into values of any kind. */
  appendMapped<T>(dictionary: Dictionary<T>, start: number, end: number, textOf: (value: T) => string): void {
    this.append({ values: dictionary.values.map(textOf), index: dictionary.index }, start, end);
  }

  private reserve(rows: number): void {
    if (this.rows + rows <= this.index.length) return;
    const larger = new Uint32Array(Math.max(this.rows + rows, this.index.length * 2));
    larger.set(this.index);
    this.index = larger;
  }

  private id(value: string): number {
    let id = this.ids.get(value);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(value, id);
      this.keys.string(value);
    }
    return id;
  }

  write(out: ChunkList): void {
    this.writePrefix(out);
    this.writeData(out);
  }

  /** Version of the serialization; in a nested column it comes before the outer column's data. */
  writePrefix(out: ChunkList): void {
    out.append(uint64(1));
  }

  writeData(out: ChunkList): void {
    if (this.rows === 0) return;
    const narrow = this.ids.size <= 0x100 ? Uint8Array : this.ids.size <= 0x10000 ? Uint16Array : Uint32Array;
    const widthCode = narrow === Uint8Array ? 0 : narrow === Uint16Array ? 1 : 2;
    const index = narrow.from(this.index.subarray(0, this.rows));
    const hasAdditionalKeys = 0x200;
    out.append(uint64(widthCode + hasAdditionalKeys));
    out.append(uint64(this.ids.size));
    out.append(this.keys.view());
    out.append(uint64(this.rows));
    out.append(new Uint8Array(index.buffer, index.byteOffset, index.byteLength));
  }
}

/** Map(LowCardinality(String), String). */
export class AttributeColumn implements Column {
  readonly type = 'Map(LowCardinality(String), String)';
  private offsets: Uint32Array;
  private rows = 0;
  private pairs = 0;
  private readonly keys: DictionaryColumn;
  private readonly values = new ChunkList();

  constructor(rows: number) {
    this.offsets = new Uint32Array(rows * 2);
    this.keys = new DictionaryColumn(rows);
  }

  get bytes(): number {
    return this.rows * 8 + this.keys.bytes + this.values.bytes;
  }

  appendEmpty(rows: number): void {
    for (let row = 0; row < rows; row++) this.endRow();
  }

  /** Rows of pairs: counts (uint16 LE each), keys of pairs from `firstPair`, and the strings of exactly these pairs. */
  appendPairs(counts: Uint8Array, keys: Dictionary, firstPair: number, values: Uint8Array): void {
    const before = this.pairs;
    for (let at = 0; at < counts.length; at += 2) {
      this.pairs += (counts[at] as number) | ((counts[at + 1] as number) << 8);
      this.endRow();
    }
    const added = this.pairs - before;
    if (added === 0) return;
    this.keys.append(keys, firstPair, firstPair + added);
    this.values.append(values);
  }

  /** Rows [start, end) that each take one of a few lists of pairs. */
  appendLists(lists: Dictionary<string[]>, start: number, end: number): void {
    const encoded = lists.values.map((pairs) => {
      const writer = new ByteWriter(64);
      for (let i = 1; i < pairs.length; i += 2) writer.string(pairs[i] as string);
      const ids = this.keys.idsOf(pairs.filter((_, i) => i % 2 === 0));
      return { values: writer.copy(), ids };
    });
    for (let row = start; row < end; row++) {
      const id = (lists.index[row * 2] as number) | ((lists.index[row * 2 + 1] as number) << 8);
      const { values, ids } = encoded[id] as { values: Uint8Array; ids: Uint32Array };
      this.keys.appendIds(ids);
      this.values.append(values);
      this.pairs += ids.length;
      this.endRow();
    }
  }

  private endRow(): void {
    if (this.rows * 2 >= this.offsets.length) {
      const larger = new Uint32Array(Math.max(this.offsets.length * 2, 1024));
      larger.set(this.offsets);
      this.offsets = larger;
    }
    // A block stays far under 2^32 pairs; the upper half of the 64 bits is 0.
    this.offsets[this.rows * 2] = this.pairs;
    this.rows++;
  }

  write(out: ChunkList): void {
    this.keys.writePrefix(out);
    out.append(new Uint8Array(this.offsets.buffer, 0, this.rows * 8));
    this.keys.writeData(out);
    this.values.flush();
    for (const chunk of this.values.chunks) out.append(chunk);
  }
}

/** 64 bits, little-endian, of an integer up to 2^53. */
export function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value >>> 0, true);
  view.setUint32(4, Math.floor(value / 4294967296), true);
  return bytes;
}

/** A whole block: number of columns and rows, then each column's name, type and data. */
export function writeBlock(
  columns: readonly { name: string; column: Column }[],
  rows: number,
): { structure: string; chunks: Uint8Array[] } {
  const out = new ChunkList();
  const head = new ByteWriter(16);
  head.varint(columns.length);
  head.varint(rows);
  out.append(head.copy());
  for (const { name, column } of columns) {
    const title = new ByteWriter(64);
    title.string(name);
    title.string(column.type);
    out.append(title.copy());
    column.write(out);
  }
  out.flush();
  return { structure: columns.map(({ name, column }) => `${name} ${column.type}`).join(', '), chunks: out.chunks };
}
