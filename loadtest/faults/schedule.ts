/** Which faults come when: pure, from a seed. */
import { Random } from '#generator/mod.ts';
import { type UnitKind, unitKinds } from './fleet.ts';

export interface Fault {
  /** From 1. */
  number: number;
  /** Since the faults began, ms. */
  atMs: number;
  unit: string;
  kind: UnitKind;
  how: 'kill' | 'freeze';
  /** Until it is started again or goes on, ms. */
  awayMs: number;
}

export interface ScheduleOptions {
  seed: number;
  faults: number;
  durationMs: number;
  /** Names of the units of each kind. */
  units: Readonly<Record<UnitKind, readonly string[]>>;
  /** Kinds that are hit; none named: all. */
  only?: readonly UnitKind[];
}

/** Of every twenty faults: the parts that keep state and order come more often. */
const weights: Record<UnitKind, number> = {
  worker: 6,
  storage: 3,
  gateway: 3,
  coordinator: 3,
  nats: 2,
  alerting: 2,
  redis: 1,
};

/** A supervisor's pause, or a pod that has to be scheduled anew. */
const downMs = { min: 200, max: 4_000 };
/** Longer than a heartbeat's timeout (2.5 s) and a lease (3 s): partitions and the lead move before it wakes. */
const frozenMs = { min: 4_000, max: 9_000 };
/** Until a unit that came back may be hit again, ms: long enough to be at work, short enough to be in the middle of it. */
const restMs = 500;

/**
 * At random times, so that faults come in bunches and overlap; a unit that is away is not hit again. Every kind is
 * killed and frozen at least once where there are enough faults.
 */
export function schedule({ seed, faults, durationMs, units, only = [] }: ScheduleOptions): Fault[] {
  const random = new Random(seed);
  const times = Array.from({ length: faults }, () => random.next() * durationMs).sort((a, b) => a - b);
  const kinds = dealKinds(random, faults, only.length === 0 ? unitKinds : only);
  const backMs = new Map<string, number>();
  const planned = times.map((wantedMs, index) => {
    const { kind, how } = kinds[index] as Pick<Fault, 'kind' | 'how'>;
    const free = units[kind].filter((name) => (backMs.get(name) ?? 0) <= wantedMs);
    const unit = free.length > 0 ? random.pick(free) : soonest(units[kind], backMs);
    const atMs = Math.round(Math.max(wantedMs, backMs.get(unit) ?? 0));
    const { min, max } = how === 'kill' ? downMs : frozenMs;
    const awayMs = Math.round(min + random.next() * (max - min));
    backMs.set(unit, atMs + awayMs + restMs);
    return { atMs, unit, kind, how, awayMs };
  });
  return planned.sort((a, b) => a.atMs - b.atMs).map((fault, index) => ({ number: index + 1, ...fault }));
}

function dealKinds(random: Random, faults: number, from: readonly UnitKind[]): Pick<Fault, 'kind' | 'how'>[] {
  const deck: Pick<Fault, 'kind' | 'how'>[] = [];
  for (const kind of from) for (const how of ['kill', 'freeze'] as const) deck.push({ kind, how });
  shuffle(random, deck);
  const bag = from.flatMap((kind) => new Array<UnitKind>(weights[kind]).fill(kind));
  while (deck.length < faults) deck.push({ kind: random.pick(bag), how: random.next() < 0.6 ? 'kill' : 'freeze' });
  const dealt = deck.slice(0, faults);
  shuffle(random, dealt);
  return dealt;
}

function shuffle<T>(random: Random, items: T[]): void {
  for (let at = items.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
}

function soonest(names: readonly string[], backMs: ReadonlyMap<string, number>): string {
  return names.toSorted((a, b) => (backMs.get(a) ?? 0) - (backMs.get(b) ?? 0))[0] as string;
}
