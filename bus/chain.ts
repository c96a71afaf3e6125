/**
 * R3 Chain, the reader's side. A mark per partition says what was taken; `admit` decides on the next message:
 *   generation or `to` at or under the mark → duplicate;  `from` over the mark → gap, refused;
 *   from ≤ mark < to → taken, less what lies at or under the mark.
 * By R2 two owners of a partition publish the same content cut differently, so the first of each is right.
 */
import type { ChainHeader } from '#protocol/mod.ts';

export interface Mark {
  generation: number;
  /** Every LOGS sequence of the partition up to this one is taken. */
  sequence: number;
  /** Parts taken of the section that comes next, 0 where none. */
  parts: number;
}

export const startMark: Mark = { generation: 0, sequence: 0, parts: 0 };

export type Admission =
  | { verdict: 'take' /** Sections at or under this sequence are known already. */; above: number; mark: Mark }
  | { verdict: 'take-part'; mark: Mark }
  | { verdict: 'duplicate' }
  | { verdict: 'gap' };

export function admit(
  mark: Mark,
  header: ChainHeader,
  part: { index: number; last: boolean } | null = null,
): Admission {
  if (header.generation < mark.generation) return { verdict: 'duplicate' };
  const current = header.generation > mark.generation ? { generation: header.generation, sequence: 0, parts: 0 } : mark;
  if (header.to <= current.sequence) return { verdict: 'duplicate' };
  if (header.from > current.sequence) return { verdict: 'gap' };
  const { generation } = header;
  if (part === null) {
    return { verdict: 'take', above: current.sequence, mark: { generation, sequence: header.to, parts: 0 } };
  }
  if (part.index < current.parts) return { verdict: 'duplicate' };
  if (part.index > current.parts) return { verdict: 'gap' };
  return {
    verdict: 'take-part',
    mark: part.last
      ? { generation, sequence: header.to, parts: 0 }
      : { generation, sequence: current.sequence, parts: current.parts + 1 },
  };
}
