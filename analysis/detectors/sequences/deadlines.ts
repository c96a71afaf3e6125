/** A queue by time, then by order of entry: a binary heap. */
interface Entry<T> {
  dueMs: number;
  order: number;
  item: T;
}

export class Deadlines<T> {
  private readonly heap: Entry<T>[] = [];
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  push(dueMs: number, item: T): void {
    const entry = { dueMs, order: this.order++, item };
    const { heap } = this;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(entry, heap[up] as Entry<T>)) break;
      heap[at] = heap[up] as Entry<T>;
      at = up;
    }
    heap[at] = entry;
  }

  /** Takes out the first item if it is due at `nowMs`. */
  take(nowMs: number): T | undefined {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = heap.pop() as Entry<T>;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let down = 2 * at + 1;
        if (down >= heap.length) break;
        if (down + 1 < heap.length && isBefore(heap[down + 1] as Entry<T>, heap[down] as Entry<T>)) down++;
        if (!isBefore(heap[down] as Entry<T>, last)) break;
        heap[at] = heap[down] as Entry<T>;
        at = down;
      }
      heap[at] = last;
    }
    return first.item;
  }

  /** Drops all other items. */
  keep(isKept: (item: T) => boolean): void {
    const kept = this.entries().filter(({ item }) => isKept(item));
    this.heap.length = 0;
    for (const { dueMs, item } of kept) this.push(dueMs, item);
  }

  /** Items with their times, the first entered first. */
  entries(): { dueMs: number; item: T }[] {
    return [...this.heap].sort((a, b) => a.order - b.order).map(({ dueMs, item }) => ({ dueMs, item }));
  }
}

const isBefore = <T>(a: Entry<T>, b: Entry<T>): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
