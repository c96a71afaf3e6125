/** Builds a dictionary column value by value, ids in order of first use. Hot path: equal neighbours cost no look-up. */
import type { Dictionary } from './batch.ts';
import { ByteWriter } from './byte-writer.ts';

export class DictionaryBuilder<T> {
  values: T[] = [];
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
    this.ids = new Map();
    this.index.clear();
    this.last = undefined;
    this.lastId = -1;
    return result;
  }
}
