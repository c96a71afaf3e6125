/** Faults in a world of real texts: such as a careful person would see in the records, and no weaker ones. */
import { type FaultKind, faultKinds, type Random } from '../../generator/mod.ts';
import { knowableFall, knowableGap, knowableLack, knowableRise } from './knowable.ts';
import type { Saying, TextService } from './text-world.ts';

const minute = 60_000;

/** Real texts hold no latencies that a shift of their level would be seen in. */
export const textFaultKinds: readonly FaultKind[] = faultKinds.filter((kind) => kind !== 'latency_shift');

export interface TextFault {
  kind: FaultKind;
  service: string;
  fromMs: number;
  toMs: number;
  /** For people: the factor or rate. */
  strength: number;
  /** Factor on everything that the service says. */
  rate: number;
  /** Factor on times per 5 min. */
  creep: number;
  muted: Saying | null;
  /** Said on top: at most so often a second, and which part of it at each point of the fault (0–1). */
  sayings: Saying[];
  extraMax: number;
  extraAt(progress: number): number;
  /** When it can be known at all, ms after it began (knowable.ts); null: not worked out for this kind. */
  knowableMs: number | null;
}

/** A fault of this kind that shows in this service, or null. */
export function makeTextFault(
  kind: FaultKind,
  service: TextService,
  fromMs: number,
  worldFromMs: number,
  random: Random,
): TextFault | null {
  const between = (low: number, high: number): number => low * (high / low) ** random.next();
  const { rate, clump } = service;
  const templates = service.plain.length + service.errors.length + service.rare.length + 2 * service.pairs.length;
  const errorRate = service.errors.reduce((sum, one) => sum + one.rate, 0);
  // Known by now: each of these errors has been seen some five times.
  const known = service.errors.filter((one) => one.rate * ((fromMs - worldFromMs) / 1_000) >= 5);
  const fault = (minutes: number, strength: number, more: Partial<TextFault>): TextFault => ({
    kind,
    service: service.name,
    fromMs,
    toMs: fromMs + Math.round(minutes * minute),
    rate: 1,
    creep: 1,
    muted: null,
    sayings: [],
    extraMax: 0,
    extraAt: () => 1,
    knowableMs: null,
    ...more,
    strength: more.rate ?? strength,
  });
  const extra = (minutes: number, perSecond: number, sayings: Saying[], usual: number): TextFault =>
    fault(minutes, perSecond, {
      sayings,
      extraMax: perSecond,
      knowableMs: knowableRise(perSecond, usual, 1, templates),
    });
  switch (kind) {
    case 'error_spike':
    case 'cascade': {
      if (known.length === 0) return null;
      const perSecond = Math.max(0.25, errorRate * between(6, 30), rate * between(0.02, 0.3));
      return extra(between(2, 10), perSecond, known, errorRate);
    }
    case 'error_creep': {
      if (known.length === 0 || rate < 0.5) return null;
      const perSecond = Math.max(0.4, errorRate * between(10, 30), rate * between(0.05, 0.25));
      const power = random.pick([1, 1, 2]);
      return {
        ...extra(between(20, 45), perSecond, known, errorRate),
        extraAt: (progress) => progress ** power,
        knowableMs: null,
      };
    }
    case 'new_template': {
      if (service.freshErrors.length === 0) return null;
      const [minutes, perSecond] = [between(3, 12), between(0.1, 2)];
      // One may be any service's first error of a rare kind; that it comes again, and again, is news.
      return {
        ...extra(minutes, perSecond, [service.freshErrors.pop() as Saying], 0),
        knowableMs: 3_000 / perSecond,
      };
    }
    case 'template_vanished': {
      const steady = service.plain.filter((one) => one.rate > 0.06 && one.rate < 0.5 * rate);
      if (steady.length === 0) return null;
      const muted = random.pick(steady);
      return fault(between(Math.max(6, 1 / muted.rate), 25), muted.rate, {
        muted,
        knowableMs: knowableGap(muted.rate, templates),
      });
    }
    case 'silence': {
      const minutes = between(2, 10);
      // So long without a word must be next to impossible, however they come in clumps.
      return (rate / service.clump) * minutes * 60 < 30
        ? null
        : fault(minutes, rate, { rate: 0, knowableMs: knowableFall(0, rate, clump) });
    }
    case 'template_burst': {
      if (service.rare.length === 0) return null;
      const [minutes, perSecond] = [between(2, 6), Math.max(between(0.4, 4), 0.02 * rate)];
      const rare = random.pick(service.rare);
      return extra(minutes, perSecond, [rare], rare.rate);
    }
    case 'latency_creep': {
      const creep = random.next() < 0.7 ? 1.02 : between(1.02, 1.05);
      const minutes = between(50, 100);
      // The rise of its last third against the hour before, in deviations of those means.
      const times = service.plain.filter((one) => one.timeMs > 0);
      const worth = times.reduce((sum, one) => sum + (one.rate * 60 * minutes) / 3 / one.timeScatter ** 2, 0);
      const rise = (Math.log(creep) * minutes) / 5;
      return rise * 0.8 * Math.sqrt(worth / 2) < 10 ? null : fault(minutes, creep, { creep });
    }
    case 'sequence_broken': {
      const pairs = service.pairs.filter(({ first }) => first.rate > 0.04);
      if (pairs.length === 0) return null;
      const minutes = between(5, 15);
      const { first, second, lagMs } = random.pick(pairs);
      return fault(minutes, 0, { muted: second, knowableMs: knowableLack(first.rate, 2 * lagMs, pairs.length) });
    }
    case 'volume_drop': {
      // What is left still comes often enough to be no silence.
      if (rate < Math.max(1, 1.5 * clump)) return null;
      const [minutes, factor] = [between(5, 15), between(0.1, 0.4)];
      return fault(minutes, 0, { rate: factor, knowableMs: knowableFall(factor * rate, rate, clump) });
    }
    case 'volume_surge': {
      if (rate < 0.3) return null;
      const [minutes, factor] = [between(5, 15), between(3, 8)];
      return fault(minutes, 0, { rate: factor, knowableMs: knowableRise((factor - 1) * rate, rate, clump, 1) });
    }
    default:
      return null;
  }
}
