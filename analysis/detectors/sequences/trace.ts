/** What is kept of one key: which messages, how often, when first, and its longest pauses. */

/** Different messages of one key that are told apart; more are passed over. */
export const messagesMax = 64;
/** Counts above this are one. */
export const countMax = 65_535;
const gapsMax = 4;

/** A pause between two lines of a key, in ms of event time. */
export interface Gap {
  from: number;
  to: number;
  ms: number;
}

export interface Trace {
  key: string;
  /** Template slots in the order of their first line, and beside them how often and since when. */
  slots: number[];
  counts: number[];
  firstMs: number[];
  lastSlot: number;
  lastMs: number;
  /** Newest event time of any key when its last line came: later than `lastMs` where lines come out of order. */
  seenMs: number;
  /** The longest, in no order. */
  gaps: Gap[];
  /** Part of the model; with `isOver`, as one that has ended. */
  isLearned: boolean;
  isOver: boolean;
  /** Its entry among the last to end, or -1. */
  recentAt: number;
  /** Waits in the queue of deadlines. */
  isQueued: boolean;
  /** The last answer given, if any. */
  told: boolean | undefined;
}

export function newTrace(key: string): Trace {
  return {
    key,
    slots: [],
    counts: [],
    firstMs: [],
    lastSlot: -1,
    lastMs: 0,
    seenMs: 0,
    gaps: [],
    isLearned: false,
    isOver: false,
    recentAt: -1,
    isQueued: false,
    told: undefined,
  };
}

/** Adds a line. Time never runs backwards within a key. */
export function addLine(trace: Trace, slot: number, timeMs: number, nowMs: number): void {
  const atMs = trace.slots.length === 0 ? timeMs : Math.max(timeMs, trace.lastMs);
  if (trace.slots.length > 0) keepGap(trace.gaps, { from: trace.lastSlot, to: slot, ms: atMs - trace.lastMs });
  trace.lastMs = atMs;
  trace.seenMs = Math.max(nowMs, atMs);
  trace.lastSlot = slot;
  const at = trace.slots.indexOf(slot);
  if (at >= 0) {
    trace.counts[at] = Math.min(countMax, (trace.counts[at] as number) + 1);
  } else if (trace.slots.length < messagesMax) {
    trace.slots.push(slot);
    trace.counts.push(1);
    trace.firstMs.push(atMs);
  }
}

function keepGap(gaps: Gap[], gap: Gap): void {
  if (gaps.length < gapsMax) {
    gaps.push(gap);
    return;
  }
  let shortest = 0;
  for (let i = 1; i < gaps.length; i++) if ((gaps[i] as Gap).ms < (gaps[shortest] as Gap).ms) shortest = i;
  if (gap.ms > (gaps[shortest] as Gap).ms) gaps[shortest] = gap;
}

/** Templates that became one since are one. */
export function resolveTrace(trace: Trace, resolve: (slot: number) => number): void {
  const { slots, counts, firstMs } = trace;
  let kept = 0;
  for (let i = 0; i < slots.length; i++) {
    const slot = resolve(slots[i] as number);
    const at = slots.indexOf(slot);
    if (at >= 0 && at < kept) {
      counts[at] = Math.min(countMax, (counts[at] as number) + (counts[i] as number));
      continue;
    }
    slots[kept] = slot;
    counts[kept] = counts[i] as number;
    firstMs[kept] = firstMs[i] as number;
    kept++;
  }
  slots.length = counts.length = firstMs.length = kept;
  trace.lastSlot = resolve(trace.lastSlot);
  for (const gap of trace.gaps) {
    gap.from = resolve(gap.from);
    gap.to = resolve(gap.to);
  }
}
