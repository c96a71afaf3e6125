/** Feature id → row of a weight matrix: open addressing over typed arrays, so that a model is a few flat buffers. */
export interface Table {
  /** Sorted, distinct. Row r of a matrix belongs to ids[r]. */
  readonly ids: Uint32Array;
  readonly slots: Int32Array;
}

/** `ids` must be sorted and distinct. */
export function tableOf(ids: Uint32Array): Table {
  let size = 16;
  while (size < ids.length * 2) size *= 2;
  const slots = new Int32Array(size).fill(-1);
  for (let r = 0; r < ids.length; r++) {
    let at = (ids[r] as number) & (size - 1);
    while (slots[at] !== -1) at = (at + 1) & (size - 1);
    slots[at] = r;
  }
  return { ids, slots };
}

/** Row of an id, or −1. */
export function rowOf(table: Table, id: number): number {
  const mask = table.slots.length - 1;
  for (let at = id & mask; ; at = (at + 1) & mask) {
    const r = table.slots[at] as number;
    if (r === -1 || table.ids[r] === id) return r;
  }
}

/** Sorted distinct ids of many lists. */
export function unionOf(lists: Iterable<Uint32Array>): Uint32Array {
  const seen = new Set<number>();
  for (const list of lists) for (const id of list) seen.add(id);
  return Uint32Array.from(seen).sort();
}
