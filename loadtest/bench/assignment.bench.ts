/**
 * The assignment of 4,096 partitions to 1,000 workers: time of a decision, what moves against the least that must, and
 * how even the load is afterwards. Run: node loadtest/bench/assignment.bench.ts [workers] [partitions]
 */
import { type Assignment, plan, type PlanInput, unevenOver } from '../../coordinator/assignment.ts';

const workers = Number(process.argv[2] ?? 1_000);
const partitions = Number(process.argv[3] ?? 4_096);
const repeats = 50;

const ids = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `worker-${String(from + i).padStart(4, '0')}`);
const even = new Array<number>(partitions).fill(1);
// Zipf in a fixed, scattered order, over the constant share that every partition has.
const zipf = even.map((_, i) => 0.05 + 300 / (1 + ((i * 2_654_435_761) % partitions)));
const empty: Assignment = {
  epoch: 0,
  generation: 1,
  owners: new Array<string | null>(partitions).fill(null),
  moves: [],
};

function input(present: Assignment, names: readonly string[], weights: readonly number[]): PlanInput {
  const running = new Map(names.map((id) => [id, new Set<number>()]));
  for (const [partition, owner] of present.owners.entries()) if (owner !== null) running.get(owner)?.add(partition);
  const members = names.map((id) => ({ id, running: running.get(id) as Set<number>, accepts: true }));
  return { present, members, draining: new Set(), weights, rebalance: true };
}

/** Who is to have each partition once moves are through. */
const heirs = ({ owners, moves }: Assignment): (string | null)[] => {
  const result = [...owners];
  for (const { partition, to } of moves) result[partition] = to;
  return result;
};

function loadsOf(owners: readonly (string | null)[], names: readonly string[], weights: readonly number[]) {
  const loads = new Map(names.map((id) => [id, { load: 0, count: 0 }]));
  for (const [partition, owner] of owners.entries()) {
    const one = owner === null ? undefined : loads.get(owner);
    if (one === undefined) continue;
    one.load += weights[partition] as number;
    one.count++;
  }
  return [...loads.values()];
}

/** Load of a worker that no single partition fills: the mean without those that do. */
function levelOf(count: number, weights: readonly number[]): number {
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = count;
  for (const weight of weights.toSorted((x, y) => y - x)) {
    if (weight <= total / left) break;
    total -= weight;
    left--;
  }
  return total / left;
}

/**
 * A bound from below: partitions without a worker, and the fewest that must go so that counts (equal weights) differ
 * by one at most, or that no worker (uneven weights) is over the level at which it is relieved.
 */
function leastMoves(present: Assignment, names: readonly string[], weights: readonly number[]): number {
  const own = new Map<string, number[]>(names.map((id) => [id, []]));
  let orphans = 0;
  for (const [partition, owner] of present.owners.entries()) {
    if (owner === null) continue;
    const list = own.get(owner);
    if (list === undefined) orphans++;
    else list.push(weights[partition] as number);
  }
  const lists = [...own.values()].sort((a, b) => b.length - a.length);
  let given = 0;
  if (weights === even) {
    const floor = Math.floor(partitions / names.length);
    for (const [i, list] of lists.entries())
      given += Math.max(list.length - floor - (i < partitions % names.length ? 1 : 0), 0);
    return orphans + given;
  }
  const bound = unevenOver * levelOf(names.length, weights);
  for (const list of lists) {
    let load = list.reduce((sum, weight) => sum + weight, 0);
    list.sort((x, y) => y - x);
    let gone = 0;
    for (; gone < list.length - 1 && load > bound; gone++) load -= list[gone] as number;
    given += gone;
  }
  return orphans + given;
}

function run(name: string, present: Assignment, names: readonly string[], weights: readonly number[]): Assignment {
  const asked = input(present, names, weights);
  const times: number[] = [];
  let next = present;
  for (let i = 0; i < repeats; i++) {
    const from = process.hrtime.bigint();
    next = plan(asked) ?? present;
    times.push(Number(process.hrtime.bigint() - from) / 1e6);
  }
  times.sort((a, b) => a - b);
  const after = heirs(next);
  const moved = after.filter((owner, p) => present.owners[p] !== null && owner !== present.owners[p]).length;
  const loads = loadsOf(after, names, weights);
  const level = levelOf(names.length, weights);
  // A worker with one partition cannot be relieved.
  const uneven = Math.max(...loads.filter(({ count }) => count > 1).map(({ load }) => load)) / level;
  const least = leastMoves(present, names, weights);
  const ms = `${(times[repeats / 2] as number).toFixed(1)} ms (max ${(times.at(-1) as number).toFixed(1)})`;
  console.log(
    `${name.padEnd(24)} ${ms.padEnd(20)} moved ${String(moved).padStart(5)}, least ${String(least).padStart(5)}   max/level ${uneven.toFixed(3)}`,
  );
  const settled: Assignment = { ...next, owners: after, moves: [] };
  if (plan(input(settled, names, weights)) !== null) throw new Error(`${name}: planning again moves more`);
  return settled;
}

const all = ids(workers);
console.log(`${workers} workers, ${partitions} partitions; median of ${repeats}`);
const first = run('cold start', empty, all, even);
const coldZipf = run('cold start, Zipf load', empty, all, zipf);
run('one joins', first, [...all, ...ids(1, workers)], even);
run('one leaves', first, all.slice(1), even);
run('ten join', first, [...all, ...ids(10, workers)], even);
run('ten leave', first, all.slice(10), even);
run('one joins, Zipf load', coldZipf, [...all, ...ids(1, workers)], zipf);
run('one leaves, Zipf load', coldZipf, all.slice(1), zipf);
run('load becomes Zipf', first, all, zipf);
run('nothing to do', first, all, even);
