/** Builds a dictionary column value by value, ids in order of first use. Hot path: equal neighbours cost no look-up. */
import type { Dictionary } from './batch.ts';
import { ByteWriter } from './byte-writer.ts';

export class DictionaryBuilder<T extends string | string[]> {
  values: T[] = [];
  /** UTF-8 bytes of the values. */
  bytes = 0;
  readonly index = new ByteWriter(512);
  private ids = new Map<T, number>();
  private last: T | undefined;
  private lastId = -1;

  add(value: T): void {
    if (value !== this.last || this.lastId < 0) {
      let id = this.ids.get(value);
      if (id === undefined) {
        id = this.values.length;
        this.values.push(value);
        this.ids.set(value, id);
        this.bytes += bytesOf(value);
      }
      this.last = value;
      this.lastId = id;
    }
    this.index.uint16(this.lastId);
  }

  /** The column so far; the builder starts over. */
  take(): Dictionary<T> {
    const result = { values: this.values, index: this.index.copy() };
    this.values = [];
    this.bytes = 0;
    this.ids = new Map();
    this.index.clear();
    this.last = undefined;
    this.lastId = -1;
    return result;
  }
}

function bytesOf(value: string | string[]): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  let bytes = 0;
  for (const part of value) bytes += Buffer.byteLength(part);
  return bytes;
}
