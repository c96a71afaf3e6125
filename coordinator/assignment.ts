/**
 * Which worker runs which partition. Pure, deterministic and sticky: partitions stay where they are unless their owner
 * is gone or the load is uneven, and no more move than evens it out.
 *
 * A1 A partition is granted only when no living worker but its new owner runs it: first taken (owner null), then
 *    granted. Where it goes is decided when it is taken and kept in `moves`, so that both steps are one decision.
 * A2 The partitions of a worker that is gone go to the least loaded, the heaviest first; nothing else moves for it.
 * A3 For balance, partitions go from the most to the least loaded one, each nearest to half their difference, and only
 *    where the pair gains. Every such step lowers the sum of squares, so planning ends, and planning again gives null.
 * A4 Balancing begins when a worker that could be relieved is over `unevenOver`, or one that could be given something
 *    is under `unevenUnder` of the level, and goes on to `evenWithin`: noise between the two moves nothing.
 */
import { MemberHeap } from './member-heap.ts';

export interface Assignment {
  /** Raised with every change; checkpoints carry it. */
  epoch: number;
  generation: number;
  /** Worker id by partition; null: being let go, or nobody there. */
  owners: (string | null)[];
  /** Partitions without an owner that have a next one, by rising partition. */
  moves: Move[];
}

export interface Move {
  partition: number;
  to: string;
}

export interface Member {
  id: string;
  /** Partitions that it runs, draining ones included. */
  running: ReadonlySet<number>;
  /** False: it keeps what it has and gets nothing more; it was not heard of yet, or comes and goes. */
  accepts: boolean;
}

export interface PlanInput {
  present: Assignment;
  /** Workers that are alive and not leaving, in any order. */
  members: readonly Member[];
  /** Partitions that a leaving worker still drains: not granted before it is through. */
  draining: ReadonlySet<number>;
  /** Load of each partition, in any unit, over 0. */
  weights: readonly number[];
  /** Whether partitions may be moved for balance in this round. */
  rebalance: boolean;
}

/** Load over the level (1 = even) at which a worker is relieved: a move costs a drain and a restore. */
export const unevenOver = 1.25;
/** Load under the level at which a worker is given more: one that joined has none. */
export const unevenUnder = 0.5;
/** How near to the level balancing goes once it began. */
export const evenWithin = 0.1;

/** The next assignment, or null when nothing is to change. */
export function plan(input: PlanInput): Assignment | null {
  const { present } = input;
  const members = [...input.members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { targets, load, waiting } = keep(input, members);
  const order = byWeight(input.weights);
  const givable = members.flatMap((member, index) => (member.accepts ? [index] : []));
  // Rather one that comes and goes than nobody.
  const takers = givable.length > 0 ? givable : members.map((_, index) => index);
  if (takers.length > 0) {
    place(
      order.filter((partition) => waiting[partition] === 1),
      takers,
      { targets, load, weights: input.weights },
    );
    if (input.rebalance) balance(order, givable, { targets, load, weights: input.weights });
  }
  const { owners, moves } = carryOut(input, members, targets);
  const same =
    owners.every((owner, partition) => owner === present.owners[partition]) &&
    moves.length === present.moves.length &&
    moves.every(({ partition, to }, i) => present.moves[i]?.partition === partition && present.moves[i]?.to === to);
  return same ? null : { epoch: present.epoch + 1, generation: present.generation, owners, moves };
}

interface Placement {
  /** Index of the member that each partition is to end at, -1 for none. */
  targets: Int32Array;
  /** Load by member. */
  load: Float64Array;
  weights: readonly number[];
}

/** What stays as it is: partitions of living owners, and moves under way to living workers. */
function keep(
  { present, weights }: PlanInput,
  members: readonly Member[],
): { targets: Int32Array; load: Float64Array; waiting: Uint8Array } {
  const indices = new Map(members.map((member, index) => [member.id, index]));
  const partitions = present.owners.length;
  const targets = new Int32Array(partitions).fill(-1);
  const load = new Float64Array(members.length);
  const waiting = new Uint8Array(partitions).fill(1);
  const set = (partition: number, id: string | null): void => {
    const index = id === null ? undefined : indices.get(id);
    if (index === undefined || waiting[partition] === 0) return;
    targets[partition] = index;
    waiting[partition] = 0;
    load[index] = (load[index] as number) + (weights[partition] as number);
  };
  for (const [partition, owner] of present.owners.entries()) set(partition, owner);
  for (const { partition, to } of present.moves) if (present.owners[partition] === null) set(partition, to);
  return { targets, load, waiting };
}

/** Partitions, the heaviest first. */
function byWeight(weights: readonly number[]): Int32Array {
  const order = Int32Array.from(weights.keys());
  return order.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
}

/** A2. */
function place(waiting: Int32Array, takers: readonly number[], { targets, load, weights }: Placement): void {
  if (waiting.length === 0) return;
  const lightest = new MemberHeap(takers, load, 'least');
  for (const partition of waiting) {
    const to = lightest.top;
    targets[partition] = to;
    load[to] = (load[to] as number) + (weights[partition] as number);
    lightest.update(to);
  }
}

/** A3, A4. `order`: partitions by falling weight. */
function balance(order: Int32Array, givable: readonly number[], { targets, load, weights }: Placement): void {
  if (givable.length < 2) return;
  const owned = new Map<number, number[]>(givable.map((index) => [index, []]));
  for (const partition of order) owned.get(targets[partition] as number)?.push(partition);
  const level = evenLevel(order, givable, { targets, load, weights });
  const heaviest = new MemberHeap(givable, load, 'most');
  const lightest = new MemberHeap(givable, load, 'least');
  let begun = false;
  while (heaviest.size > 0) {
    const from = heaviest.top;
    const to = lightest.top;
    const high = load[from] as number;
    const low = load[to] as number;
    if (high <= level * (1 + evenWithin) && low >= level * (1 - evenWithin)) return;
    const list = owned.get(from) as number[];
    const at = nearestToHalf(list, weights, high - low, level);
    if (at === -1) {
      // It cannot be relieved, and still less when the others have more.
      heaviest.remove(from);
      continue;
    }
    begun ||= high > level * unevenOver || low < level * unevenUnder;
    if (!begun) return;
    const [partition] = list.splice(at, 1) as [number];
    const weight = weights[partition] as number;
    insertByWeight(owned.get(to) as number[], partition, weights);
    targets[partition] = to;
    load[from] = high - weight;
    load[to] = low + weight;
    for (const heap of [heaviest, lightest]) {
      heap.update(from);
      heap.update(to);
    }
  }
}

/**
 * The load that an even worker has. A partition heavier than that fills a worker alone, and what is over would make
 * all others look idle for ever: such partitions and their workers are left out of the mean.
 */
function evenLevel(order: Int32Array, givable: readonly number[], { targets, load, weights }: Placement): number {
  const counted = new Set(givable);
  let total = givable.reduce((sum, index) => sum + (load[index] as number), 0);
  let workers = givable.length;
  for (const partition of order) {
    if (!counted.has(targets[partition] as number)) continue;
    const weight = weights[partition] as number;
    if (workers === 1 || weight <= total / workers) break;
    total -= weight;
    workers--;
  }
  // Subtracting all that there is may leave a little less than nothing.
  return Math.max(total, 0) / workers;
}

/** Least gain worth a move, as a share of the level: rounding errors are none. */
const gainMin = 1e-6;

/** Index of the partition whose move gains the pair most; -1 where none gains. `list`: by falling weight. */
function nearestToHalf(list: readonly number[], weights: readonly number[], difference: number, level: number): number {
  const weightAt = (i: number): number => weights[list[i] as number] as number;
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (weightAt(middle) > difference / 2) from = middle + 1;
    else to = middle;
  }
  // `from` is the first at or under half; the one before it is the last over half.
  const gainAt = (i: number): number =>
    i < 0 || i >= list.length ? 0 : Math.min(weightAt(i), difference - weightAt(i));
  const best = gainAt(from - 1) > gainAt(from) ? from - 1 : from;
  return gainAt(best) > gainMin * level ? best : -1;
}

function insertByWeight(list: number[], partition: number, weights: readonly number[]): void {
  const weight = weights[partition] as number;
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((weights[list[middle] as number] as number) > weight) from = middle + 1;
    else to = middle;
  }
  list.splice(from, 0, partition);
}

/** A1. */
function carryOut(
  { present, draining }: PlanInput,
  members: readonly Member[],
  targets: Int32Array,
): Pick<Assignment, 'owners' | 'moves'> {
  const runs = new Map<number, string[]>();
  for (const member of members)
    for (const partition of member.running) {
      const known = runs.get(partition);
      if (known === undefined) runs.set(partition, [member.id]);
      else known.push(member.id);
    }
  const alive = new Set(members.map((member) => member.id));
  const moves: Move[] = [];
  const owners = present.owners.map((owner, partition) => {
    const target = targets[partition] as number;
    if (target === -1) return null;
    const to = (members[target] as Member).id;
    if (owner === to) return to;
    const others = runs.get(partition)?.some((id) => id !== to) ?? false;
    // An owner that has not said yet that it runs the partition may be about to: it is asked to let go first.
    const ownerLives = owner !== null && alive.has(owner);
    if (!others && !ownerLives && !draining.has(partition)) return to;
    moves.push({ partition, to });
    return null;
  });
  return { owners, moves };
}
