/**
 * A share of what may be held: who holds something already is given no more than is still free. One source alone gets up to
 * half of the room, two a third each, n an (n+1)th: there is always some left for whoever comes next, and who holds
 * most is refused first. (Dynamic thresholds, as switches share their buffers: Choudhury and Hahne, 1998.)
 */
export type Share = 'fits' | 'over' | 'full';

/** Whether `bytes` more may be held for a source that holds `own`, of `total` held in all. `over` is said beside others alone. */
export function shareOf(own: number, bytes: number, total: number, bytesMax: number): Share {
  const free = bytesMax - total;
  if (own > 0 && own + bytes > free) return own < total ? 'over' : 'full';
  return bytes > free ? 'full' : 'fits';
}
