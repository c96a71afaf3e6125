/** Builds a dictionary column value by value, ids in order of first use. Hot path: equal neighbours cost no look-up. */

export class DictionaryBuilder<T extends string | string[]> {
  values: T[] = [];
  /** UTF-8 bytes of the values. */
  bytes = 0;
  private index = new Uint16Array(512);
  private length = 0;
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
    if (this.length === this.index.length) this.grow();
    this.index[this.length++] = this.lastId;
  }

  /** Two bytes an entry; valid until the next `add`. */
  indexView(): Uint8Array {
    return new Uint8Array(this.index.buffer, 0, this.length * 2);
  }

  clear(): void {
    this.values = [];
    this.bytes = 0;
    this.ids = new Map();
    this.length = 0;
    this.last = undefined;
    this.lastId = -1;
  }

  private grow(): void {
    const larger = new Uint16Array(this.index.length * 2);
    larger.set(this.index);
    this.index = larger;
  }
}

function bytesOf(value: string | string[]): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  let bytes = 0;
  for (const part of value) bytes += Buffer.byteLength(part);
  return bytes;
}
