/**
 * Which generation stored a message that the stream holds. A LOGS stream that lost its tail keeps its beginning, which was
 * stored under an earlier generation; what that generation stored of the lost part is in the stream no more.
 */

/** First sequence of a partition that storage has of a generation. */
export interface GenerationBegin {
  generation: number;
  from: number;
}

export interface StoredRange {
  generation: number;
  /** Both included. */
  from: number;
  to: number;
}

/** Where the messages from `from` to `to` of a partition are stored, newest generation first; `begins` is sorted. */
export function rangesOf(
  present: number,
  begins: readonly GenerationBegin[] | undefined,
  from: number,
  to: number,
): StoredRange[] {
  const ranges: StoredRange[] = [];
  let end = to;
  for (const begin of (begins ?? []).toReversed()) {
    if (begin.generation > present) continue;
    const oldest = begin === begins?.[0];
    const start = oldest ? from : Math.max(begin.from, from);
    if (start <= end) ranges.push({ generation: begin.generation, from: start, to: end });
    end = Math.min(end, start - 1);
  }
  return ranges;
}

export function generationAt(
  present: number,
  begins: readonly GenerationBegin[] | undefined,
  sequence: number,
): number {
  return rangesOf(present, begins, sequence, sequence)[0]?.generation ?? present;
}
