/**
 * How odd a key is: the rarest of the ways in which it differs from what keys usually look like. One rule for all logs:
 * each kind of difference has the share of keys below which it is odd, and the score is 0.5 at that share, more below.
 *
 * What may still come is not missing: a message is missed only when it is later than it ever was in nearly all keys. What
 * may have come before the input began is not missing either. And what is rare among all keys is usual if it is frequent
 * among the last ones: after a deploy the flow is another one.
 */
import type { SequenceModel } from './model.ts';
import { lagSteps } from './model.ts';
import type { SequencePace } from './pace.ts';
import type { Trace } from './trace.ts';

/** Fewer keys than this are no measure of what is usual. */
export const keysMin = 50;
/** Share of the last keys that is worth this times as much among all. */
const recentWorth = 0.2;
const recentMin = 64;

/** Shares of keys below which a difference is odd. Order and pauses vary by themselves, so they must be rarer. */
const presentRare = 0.02;
const lackRare = 0.02;
const countRare = 0.02;
const loopRare = 0.01;
const orderRare = 0.005;
const pauseRare = 0.005;
/** A count is odd if all counts on its side of the usual one are rare together: else counts simply vary. */
const sideRare = 0.03;
/** Share of the keys with a message that have it equally often, from which on that is its count. */
const stableShare = 0.9;
/** Keys with a message, from which on it tells what else to expect. */
const supportMin = 50;
const loopSupportMin = 30;
/** A message comes after another as a rule, if in this share of the keys with both. */
const orderedShare = 0.9;
/** Steps below the mean lag, by 2.5, to which things that run side by side may overtake each other. */
const overtakingSteps = 21;

export type Oddity =
  | { kind: 'present'; slot: number; share: number }
  | { kind: 'missing'; slot: number; after: number; share: number }
  | { kind: 'count'; slot: number; count: number; usual: number; share: number }
  | { kind: 'order'; slot: number; before: number; share: number }
  | { kind: 'pause'; slot: number; after: number; ms: number; share: number };

export interface Judgement {
  /** 0–1, odd from 0.5. */
  score: number;
  /** The oddest difference, if the key is odd. */
  oddity: Oddity | undefined;
  /** Event time until which a message that would be missed may still come; 0 where none is awaited. */
  awaitedMs: number;
}

export interface Circumstances {
  /** All keys remembered, and the last that ended. */
  model: SequenceModel;
  recent: SequenceModel;
  pace: SequencePace;
  /** Event time of the first line and of now. */
  beganMs: number;
  nowMs: number;
  /** False: times are line numbers, of which pauses say nothing. */
  isTimed: boolean;
}

export function judge(trace: Trace, all: Circumstances): Judgement {
  if (all.model.keys < keysMin) return { score: 0, oddity: undefined, awaitedMs: 0 };
  let score = 0;
  let worst: Oddity | undefined;
  const find = (rare: number, oddity: Oddity): void => {
    const found = rare / (rare + oddity.share);
    if (found < score || (found === score && !isBefore(oddity, worst))) return;
    score = found;
    worst = oddity;
  };
  const isHead = mayHaveBegunBefore(trace, all);
  findPresent(trace, all, isHead, find);
  const awaitedMs = findMissing(trace, all, find);
  findCounts(trace, all, isHead, find);
  findOrder(trace, all, find);
  if (all.isTimed) findPauses(trace, all, find);
  return { score: Math.round(score * 10_000) / 10_000, oddity: score > 0.5 ? worst : undefined, awaitedMs };
}

/** Of equally odd messages that are missing, the first one seen in the input: no answer may hang on the order of a map. */
const isBefore = (oddity: Oddity, than: Oddity | undefined): boolean =>
  oddity.kind === 'missing' && than?.kind === 'missing' && oddity.after === than.after && oddity.slot < than.slot;

type Find = (rare: number, oddity: Oddity) => void;

/** The larger of a share among all keys and, at less weight, that among the last ones. */
function either(share: number, recent: SequenceModel, recently: () => number): number {
  return share >= 0.05 || recent.keys < recentMin ? share : Math.max(share, recentWorth * recently());
}

function findPresent(trace: Trace, { model, recent }: Circumstances, isHead: boolean, find: Find): void {
  const { slots } = trace;
  for (let i = isHead ? 1 : 0; i < slots.length; i++) {
    const share = either(presentShare(model, trace, i), recent, () => presentShare(recent, trace, i));
    if (share < presentRare) find(presentRare, { kind: 'present', slot: slots[i] as number, share });
  }
}

/** Share of keys that have the message at place `i`. Of first messages with equal stamps any may be the first. */
function presentShare(model: SequenceModel, { slots, firstMs }: Trace, i: number): number {
  if (i > 0) return model.presentShare(slots, i);
  let share = 0;
  for (let j = 0; j < slots.length && firstMs[j] === firstMs[0]; j++)
    share = Math.max(share, model.startShare(slots[j] as number));
  return share;
}

/** Returns the event time until which something may still come that would be missed then, or 0. */
function findMissing(trace: Trace, { model, recent, pace, beganMs, nowMs }: Circumstances, find: Find): number {
  const { slots, firstMs } = trace;
  const waitMs = pace.waitMs(trace.lastSlot);
  if (waitMs !== undefined && nowMs - trace.seenMs < waitMs) return 0;
  let awaitedMs = 0;
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number;
    if (model.keysWith(slot) < supportMin) continue;
    model.eachMissable(slot, lackRare, (other, lack) => {
      if (slots.includes(other)) return;
      const atMs = firstMs[i] as number;
      const isAfter = model.firstShare(slot, other);
      if (isAfter >= 1 - orderedShare) {
        const lateMs = atMs + model.lagMaxMs(slot, other);
        if (nowMs < lateMs) {
          awaitedMs = Math.max(awaitedMs, lateMs);
          return;
        }
      }
      if (isAfter <= orderedShare && atMs - model.lagMaxMs(other, slot) < beganMs) return;
      const share = either(lack, recent, () =>
        recent.keysWith(slot) < recentMin / 2 ? 0 : recent.lackShare(slot, other),
      );
      if (share < lackRare) find(lackRare, { kind: 'missing', slot: other, after: slot, share });
    });
  }
  return awaitedMs;
}

/** True where a message that comes before the first one of this key as a rule may have come before the input began. */
function mayHaveBegunBefore({ slots, firstMs }: Trace, { model, beganMs }: Circumstances): boolean {
  const first = slots[0] as number;
  const atMs = firstMs[0] as number;
  let may = false;
  model.eachMissable(first, 1 - orderedShare, (other) => {
    if (model.firstShare(other, first) < orderedShare || atMs - model.lagMaxMs(other, first) >= beganMs) return;
    // All of this key came after its beginning; nothing of the kind came at all.
    if (!slots.includes(other)) may = true;
  });
  return may;
}

function findCounts(trace: Trace, { model, recent }: Circumstances, isHead: boolean, find: Find): void {
  for (let i = 0; i < trace.slots.length; i++) {
    const slot = trace.slots[i] as number;
    const count = trace.counts[i] as number;
    const keys = model.keysWith(slot);
    if (keys < loopSupportMin) continue;
    const shares = model.countShares(slot, count);
    if (shares === undefined || count === shares.usual) continue;
    const { usual } = shares;
    // The rest of it may come yet, or have come before.
    if (count < usual && (isHead || !trace.isOver)) continue;
    const most = model.countShares(slot, usual)?.share ?? 0;
    if (most >= stableShare && shares.side < sideRare && shares.share < countRare) {
      const share = either(shares.share, recent, () => recent.countShares(slot, count)?.share ?? 0);
      if (share < countRare) find(countRare, { kind: 'count', slot, count, usual, share });
    }
    if (count < 3) continue;
    const half = Math.ceil(count / 2);
    const share = either(model.shareFrom(slot, half), recent, () => recent.shareFrom(slot, half));
    if (share < loopRare) find(loopRare, { kind: 'count', slot, count, usual, share });
  }
}

function findOrder({ slots, firstMs }: Trace, { model, recent }: Circumstances, find: Find): void {
  for (let i = 1; i < slots.length; i++) {
    const slot = slots[i] as number;
    for (let j = 0; j < i; j++) {
      const before = slots[j] as number;
      const lagMs = (firstMs[i] as number) - (firstMs[j] as number);
      // Equal stamps tell no order.
      if (lagMs <= 0) continue;
      const forth = model.inOrder(before, slot);
      const back = model.inOrder(slot, before);
      if (forth + back < supportMin || forth >= orderRare * (forth + back)) continue;
      if (lagSteps(lagMs) < model.meanLag(slot, before) - overtakingSteps) continue;
      const share = either(forth / (forth + back), recent, () => recent.firstShare(before, slot));
      if (share < orderRare) find(orderRare, { kind: 'order', slot, before, share });
    }
  }
}

/** A pause that is long for its place, and does not vanish in how long keys last. */
function findPauses(trace: Trace, { model, pace }: Circumstances, find: Find): void {
  let durationMs = -1;
  for (const { from, to, ms } of trace.gaps) {
    if (ms < 1000) continue;
    const share = pace.shareFrom(from, to, ms);
    if (share >= pauseRare) continue;
    if (durationMs < 0) durationMs = model.durationMs();
    if (ms >= durationMs) find(pauseRare, { kind: 'pause', slot: to, after: from, ms, share });
  }
}
