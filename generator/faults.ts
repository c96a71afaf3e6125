/** The labelled incidents of a scenario: what is done to a service, from when to when, and what finding it is called. */
import type { Phrase } from './phrases.ts';
import type { Random } from './random.ts';
import type { ServiceWorld, Voice } from './world.ts';

const minute = 60_000;

export const faultKinds = [
  'error_spike',
  'error_creep',
  'cascade',
  'new_template',
  'template_vanished',
  'silence',
  'template_burst',
  'latency_creep',
  'latency_shift',
  'sequence_broken',
  'volume_drop',
  'volume_surge',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  service: string;
  fromMs: number;
  toMs: number;
  /** Factor on a rate, or on latencies per 5 min; see `effectOf`. */
  strength: number;
  /** Messages that it is about. */
  phrases: Phrase[];
}

/** What a fault does to its service at a moment. */
export interface Effect {
  rate: number;
  latency: number;
  /** Extra messages: [phrase, per second]. */
  extra: [Phrase, number][];
  mutes: ReadonlySet<Phrase>;
}

/** Name that the finding should have. */
export function findingOf(kind: FaultKind): string {
  return kind === 'cascade' ? 'error_spike' : kind;
}

const nothing: ReadonlySet<Phrase> = new Set();

export function effectOf(fault: Fault, nowMs: number): Effect {
  const effect: Effect = { rate: 1, latency: 1, extra: [], mutes: nothing };
  if (nowMs < fault.fromMs || nowMs >= fault.toMs) return effect;
  const progress = (nowMs - fault.fromMs) / (fault.toMs - fault.fromMs);
  const each = (rate: number): [Phrase, number][] =>
    fault.phrases.map((phrase) => [phrase, rate / fault.phrases.length]);
  switch (fault.kind) {
    case 'error_spike':
    case 'cascade':
    case 'new_template':
    case 'template_burst':
      return { ...effect, extra: each(fault.strength) };
    case 'error_creep':
      return { ...effect, extra: each(fault.strength * (Math.exp(3 * progress) - 1) * 0.0524) };
    case 'template_vanished':
    case 'sequence_broken':
      return { ...effect, mutes: new Set(fault.phrases) };
    case 'silence':
      return { ...effect, rate: 0 };
    case 'latency_creep':
      return { ...effect, latency: fault.strength ** ((nowMs - fault.fromMs) / (5 * minute)) };
    case 'latency_shift':
      return { ...effect, latency: fault.strength };
    case 'volume_drop':
    case 'volume_surge':
      return { ...effect, rate: fault.strength };
  }
}

/** A fault that this service can have and that would be seen in it, or null. */
export function makeFault(kind: FaultKind, world: ServiceWorld, fromMs: number, random: Random): Fault | null {
  const { rate } = world;
  // Errors that the service is known for: seen some eight times an hour.
  const errors = world.voices.filter(({ phrase, share }) => phrase.severityNumber === 17 && share * rate > 8 / 3600);
  const errorRate = errors.reduce((sum, { share }) => sum + share, 0) * rate;
  const between = (low: number, high: number): number => low * (high / low) ** random.next();
  const of = (minutes: number, strength: number, phrases: Phrase[] = []): Fault => ({
    kind,
    service: world.name,
    fromMs,
    toMs: fromMs + minutes * minute,
    strength,
    phrases,
  });
  switch (kind) {
    case 'error_spike':
    case 'cascade':
      if (errors.length === 0 || rate < 0.2) return null;
      return of(
        between(2, 10),
        between(Math.max(0.25, errorRate * 6, rate * 0.03), Math.max(0.5, errorRate * 20, rate * 0.3)),
        common(errors),
      );
    case 'error_creep':
      if (errors.length === 0 || rate < 0.5) return null;
      return of(
        between(20, 45),
        between(Math.max(0.4, errorRate * 10, rate * 0.08), Math.max(0.8, errorRate * 25, rate * 0.2)),
        common(errors),
      );
    case 'new_template':
      return of(
        between(3, 12),
        between(0.08, 1.5),
        [world.texts.freshErrors.pop()].flatMap((one) => one ?? []),
      );
    case 'template_vanished': {
      const steady = world.voices.filter(
        ({ phrase, share }) => phrase.severityNumber === 9 && share * rate > 0.1 && share < 0.45,
      );
      if (steady.length === 0) return null;
      return of(between(8, 25), 0, [random.pick(steady).phrase]);
    }
    case 'silence':
      return rate < 0.25 ? null : of(between(3, 10), 0);
    case 'template_burst': {
      const rare = world.rare.filter(([phrase, perSecond]) => phrase.severityNumber < 17 && perSecond > 1 / 700);
      if (rare.length === 0) return null;
      return of(between(2, 6), between(0.35, 3), [random.pick(rare)[0]]);
    }
    case 'latency_creep':
      return timed(world) < 1.5 ? null : of(between(45, 90), random.next() < 0.7 ? 1.02 : between(1.02, 1.05));
    case 'latency_shift':
      return timed(world) < 0.3 ? null : of(between(6, 20), between(1.6, 4));
    case 'sequence_broken': {
      const pairs = world.pairs.filter((pair) => pair.rate > 0.04);
      if (pairs.length === 0) return null;
      return of(between(6, 15), 0, [random.pick(pairs).second]);
    }
    case 'volume_drop':
      return rate < 1 ? null : of(between(5, 15), between(0.1, 0.4));
    case 'volume_surge':
      return rate < 0.3 ? null : of(between(5, 15), between(3, 8));
  }
}

function common(voices: readonly Voice[]): Phrase[] {
  return voices.map(({ phrase }) => phrase);
}

/** Messages per second that carry a latency. */
function timed(world: ServiceWorld): number {
  const holds = ({ phrase }: Voice): boolean => phrase.timed;
  return world.voices.filter(holds).reduce((sum, { share }) => sum + share, 0) * world.rate;
}
