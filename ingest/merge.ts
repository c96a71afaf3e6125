/**
 * Merges the records of several files by event time, each file in its own order: what stands in a file stays in that
 * order, and between files the earlier record comes first. Holds one chunk per open file.
 */

export interface TimedSource<T> {
  /** Next records of the file in order; null at its end. */
  next(): Promise<readonly T[] | null>;
}

/** `timeOf` need not be monotone within a source: a source is placed by the greatest time it has shown. */
export async function* mergeByTime<T>(
  sources: readonly TimedSource<T>[],
  timeOf: (item: T) => number,
): AsyncGenerator<T> {
  interface Head {
    source: TimedSource<T>;
    chunk: readonly T[];
    at: number;
    /** Time that places this source now. */
    timeMs: number;
    order: number;
  }
  const heads: Head[] = [];
  const refill = async (head: Head): Promise<boolean> => {
    for (;;) {
      const chunk = await head.source.next();
      if (chunk === null) return false;
      if (chunk.length === 0) continue;
      head.chunk = chunk;
      head.at = 0;
      return true;
    }
  };
  const place = (head: Head): void => {
    head.timeMs = Math.max(head.timeMs, timeOf(head.chunk[head.at] as T));
  };
  const less = (a: Head, b: Head): boolean => a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
  const sink = (from: number): void => {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heads.length && less(heads[child] as Head, heads[least] as Head)) least = child;
      if (least === at) return;
      const moved = heads[at] as Head;
      heads[at] = heads[least] as Head;
      heads[least] = moved;
      at = least;
    }
  };
  for (const [order, source] of sources.entries()) {
    const head: Head = { source, chunk: [], at: 0, timeMs: Number.NEGATIVE_INFINITY, order };
    if (await refill(head)) {
      place(head);
      heads.push(head);
    }
  }
  for (let at = (heads.length >> 1) - 1; at >= 0; at--) sink(at);
  while (heads.length > 0) {
    const head = heads[0] as Head;
    yield head.chunk[head.at] as T;
    head.at++;
    if (head.at >= head.chunk.length && !(await refill(head))) {
      const last = heads.pop() as Head;
      if (heads.length === 0) return;
      heads[0] = last === head ? (heads[0] as Head) : last;
    } else {
      place(head);
    }
    sink(0);
  }
}
