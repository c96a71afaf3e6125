/**
 * Which worker runs which partition. Pure and sticky: partitions stay where they are unless their owner is gone or
 * the load is uneven, and no more move than evens it out.
 */

export interface Assignment {
  /** Raised with every change; checkpoints carry it. */
  epoch: number;
  generation: number;
  /** Worker id by partition; null: being let go, or nobody there. */
  owners: (string | null)[];
}

export interface Member {
  id: string;
  /** Partitions that it runs, draining ones included. */
  running: ReadonlySet<number>;
}

export interface PlanInput {
  present: Assignment;
  /** Workers that are alive, in any order. */
  members: readonly Member[];
  /** Partitions that a leaving worker still drains: not granted before it is through. */
  draining: ReadonlySet<number>;
  /** Weight of each partition: a constant share plus its measured rate. */
  weights: readonly number[];
  /** Whether partitions may be moved for balance in this round. */
  rebalance: boolean;
}

/** Load over the average at which moving a partition is worth its replay. */
const unevenRatio = 1.2;

/**
 * The next assignment, or null when nothing is to change. A partition that moves is first taken from its owner
 * (null) and granted once no living member runs it, so that it drains before it is restored elsewhere.
 */
export function plan(input: PlanInput): Assignment | null {
  const { present, weights } = input;
  const members = [...input.members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const owners = present.owners.slice();
  const alive = new Set(members.map((member) => member.id));
  const load = new Map(members.map((member) => [member.id, 0]));
  const waiting: number[] = [];
  for (const [partition, owner] of owners.entries()) {
    if (owner !== null && alive.has(owner)) {
      load.set(owner, (load.get(owner) as number) + (weights[partition] as number));
      continue;
    }
    owners[partition] = null;
    const runs = input.draining.has(partition) || members.some((member) => member.running.has(partition));
    if (!runs) waiting.push(partition);
  }
  if (members.length > 0) {
    for (const partition of byWeight(waiting, weights)) {
      const to = lightest(load);
      owners[partition] = to;
      load.set(to, (load.get(to) as number) + (weights[partition] as number));
    }
    // A move under way finishes first: its load is on nobody's account yet.
    if (input.rebalance && owners.every((owner) => owner !== null)) takeForBalance(owners, load, weights);
  }
  if (owners.every((owner, partition) => owner === present.owners[partition])) return null;
  return { epoch: present.epoch + 1, generation: present.generation, owners };
}

function byWeight(partitions: readonly number[], weights: readonly number[]): number[] {
  return [...partitions].sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
}

function lightest(load: ReadonlyMap<string, number>): string {
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const [id, amount] of load) {
    if (amount < least) {
      least = amount;
      best = id;
    }
  }
  return best;
}

/** Takes partitions from members over the average that a lighter one can carry without becoming the heavier. */
function takeForBalance(owners: (string | null)[], load: Map<string, number>, weights: readonly number[]): void {
  const total = [...load.values()].reduce((sum, amount) => sum + amount, 0);
  const average = total / load.size;
  const owned = new Map<string, number[]>();
  for (const [partition, owner] of owners.entries()) {
    if (owner === null) continue;
    const list = owned.get(owner);
    if (list === undefined) owned.set(owner, [partition]);
    else list.push(partition);
  }
  const expected = new Map(load);
  for (const [id, partitions] of owned) {
    if ((expected.get(id) as number) <= average * unevenRatio) continue;
    for (const partition of byWeight(partitions, weights)) {
      const weight = weights[partition] as number;
      const from = expected.get(id) as number;
      const to = lightest(expected);
      if (from <= average || to === id) break;
      if ((expected.get(to) as number) + weight >= from) continue;
      expected.set(id, from - weight);
      expected.set(to, (expected.get(to) as number) + weight);
      owners[partition] = null;
    }
  }
}
