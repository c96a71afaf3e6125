/**
 * Masked line → slot, by 64-bit hash in two lanes. A pure memo: open addressing with a short probe, overwriting when
 * full, so it forgets and never grows past its bound; whoever asks must get the same answer without it.
 */
export class LineCache {
  readonly #maxEntries: number;
  #mask: number;
  #a: Int32Array;
  #b: Int32Array;
  /** Slot + 1; 0 is empty. */
  #slot: Int32Array;
  #used = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
    const size = Math.min(256, maxEntries);
    this.#mask = size - 1;
    this.#a = new Int32Array(size);
    this.#b = new Int32Array(size);
    this.#slot = new Int32Array(size);
  }

  /** Slot or -1. */
  get(a: number, b: number): number {
    const mask = this.#mask;
    for (let i = 0; i < probes; i++) {
      const at = (a + i) & mask;
      if (this.#slot[at] === 0) return -1;
      if (this.#a[at] === a && this.#b[at] === b) return this.#slot[at]! - 1;
    }
    return -1;
  }

  set(a: number, b: number, slot: number): void {
    if (this.#used * 2 > this.#mask && this.#mask + 1 < this.#maxEntries) this.#grow();
    this.#put(a, b, slot + 1);
  }

  clear(): void {
    if (this.#used > 0) this.#slot.fill(0);
    this.#used = 0;
  }

  #put(a: number, b: number, entry: number): void {
    const mask = this.#mask;
    let at = a & mask;
    for (let i = 0; i < probes; i++) {
      const here = (a + i) & mask;
      if (this.#slot[here] === 0 || (this.#a[here] === a && this.#b[here] === b)) {
        if (this.#slot[here] === 0) this.#used++;
        at = here;
        break;
      }
    }
    this.#a[at] = a;
    this.#b[at] = b;
    this.#slot[at] = entry;
  }

  #grow(): void {
    const [a, b, slot] = [this.#a, this.#b, this.#slot];
    const size = (this.#mask + 1) * 2;
    this.#mask = size - 1;
    this.#a = new Int32Array(size);
    this.#b = new Int32Array(size);
    this.#slot = new Int32Array(size);
    this.#used = 0;
    for (let i = 0; i < slot.length; i++) if (slot[i] !== 0) this.#put(a[i]!, b[i]!, slot[i]!);
  }
}

const probes = 8;
