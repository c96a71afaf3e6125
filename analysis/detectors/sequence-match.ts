/**
 * Ordered patterns: A, then B, then C, all within a time. Records that match a step wait in a small buffer until
 * the watermark has passed them and are taken in order of event time, so disorder within what is allowed cannot
 * fake or hide an order. For each prefix of a pattern the latest start is kept, which is the best one there is.
 */
import { type ObservedEvent, sampleOf } from '#analysis/windows/mod.ts';
import type { SequenceConfig } from './config.ts';
import { span } from './describe.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateText } from './incident.ts';

/** Records that wait for the watermark; beyond this the oldest is taken early. */
const waitingMax = 256;

interface Waiting {
  timeMs: number;
  /** Matchers met, as indices into the steps of all sequences. */
  steps: number[];
  slot: number;
  sample: string;
}

/** The steps 0 … i of a pattern, as last seen in order. */
interface Prefix {
  startMs: number;
  lastMs: number;
  slots: number[];
  samples: string[];
}

export interface SequenceMatchSnapshot {
  waiting: Waiting[];
  patterns: { name: string; prefixes: (Prefix | null)[]; incident: IncidentSnapshot | null }[];
}

interface Pattern {
  config: SequenceConfig;
  firstStep: number;
  prefixes: (Prefix | null)[];
  incident: Incident | null;
}

export class SequenceMatchDetector {
  private waiting: Waiting[] = [];
  private readonly patterns: Pattern[] = [];

  /** Steps take the matcher indices from 0 on, sequence after sequence. */
  constructor(configs: readonly SequenceConfig[]) {
    let firstStep = 0;
    for (const config of configs) {
      this.patterns.push({ config, firstStep, prefixes: config.steps.map(() => null), incident: null });
      firstStep += config.steps.length;
    }
  }

  /** A record, not late, that meets these steps. */
  observe(event: ObservedEvent, timeMs: number, steps: number[], context: StepContext): void {
    const entry = { timeMs, steps, slot: event.templateSlot, sample: sampleOf(event.bytes, event.start, event.end) };
    let at = this.waiting.length;
    while (at > 0 && (this.waiting[at - 1] as Waiting).timeMs > timeMs) at--;
    this.waiting.splice(at, 0, entry);
    if (this.waiting.length > waitingMax) this.take(this.waiting.shift() as Waiting, context);
  }

  /** The watermark moved: takes what it has passed. */
  release(watermarkMs: number, context: StepContext): void {
    let count = 0;
    while (count < this.waiting.length && (this.waiting[count] as Waiting).timeMs <= watermarkMs) {
      this.take(this.waiting[count] as Waiting, context);
      count++;
    }
    if (count > 0) this.waiting.splice(0, count);
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  snapshot(): SequenceMatchSnapshot {
    return {
      waiting: this.waiting.map((entry) => ({ ...entry, steps: entry.steps.slice() })),
      patterns: this.patterns.map(({ config, prefixes, incident }) => ({
        name: config.name,
        prefixes: prefixes.map((prefix) => (prefix === null ? null : copyOf(prefix))),
        incident: incident?.snapshot() ?? null,
      })),
    };
  }

  restore(state: SequenceMatchSnapshot): void {
    this.waiting = state.waiting.map((entry) => ({ ...entry, steps: entry.steps.slice() }));
    for (const saved of state.patterns) {
      const pattern = this.patterns.find(({ config }) => config.name === saved.name);
      if (pattern === undefined || saved.prefixes.length !== pattern.prefixes.length) continue;
      pattern.prefixes = saved.prefixes.map((prefix) => (prefix === null ? null : copyOf(prefix)));
      pattern.incident = saved.incident === null ? null : Incident.restore(saved.incident);
    }
  }

  private take(entry: Waiting, context: StepContext): void {
    for (const pattern of this.patterns) this.step(pattern, entry, context);
  }

  private step(pattern: Pattern, entry: Waiting, context: StepContext): void {
    const { config, firstStep, prefixes } = pattern;
    // From the last step down, so that one record is never two steps of the same match.
    for (let i = prefixes.length - 1; i >= 0; i--) {
      if (!entry.steps.includes(firstStep + i)) continue;
      if (i === 0) {
        prefixes[0] = { startMs: entry.timeMs, lastMs: entry.timeMs, slots: [entry.slot], samples: [entry.sample] };
        continue;
      }
      const before = prefixes[i - 1];
      if (before === null || before === undefined) continue;
      if (entry.timeMs < before.lastMs || entry.timeMs - before.startMs > config.withinMs) continue;
      prefixes[i] = {
        startMs: before.startMs,
        lastMs: entry.timeMs,
        slots: [...before.slots, entry.slot],
        samples: [...before.samples, entry.sample],
      };
    }
    const whole = prefixes[prefixes.length - 1];
    if (whole === null || whole === undefined) return;
    prefixes.fill(null);
    this.found(pattern, whole, context);
  }

  /** Matches within `withinMs` of the last one belong to the same incident. */
  private found(pattern: Pattern, match: Prefix, context: StepContext): void {
    const { config } = pattern;
    let { incident } = pattern;
    if (incident === null || match.lastMs - incident.row.endMs > config.withinMs) {
      incident = Incident.open(context, 'sequence_match', config.name, match.startMs);
      incident.row.score = config.score;
      incident.row.decidedAtMs = match.lastMs;
      incident.row.eventMs = match.lastMs;
      pattern.incident = incident;
    }
    const { row } = incident;
    row.actual++;
    row.endMs = match.lastMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.influencers = match.slots.map((slot) => ({
      kind: 'event' as const,
      name: templateText(context.host, slot),
      share: Math.round(1000 / match.slots.length) / 1000,
    }));
    incident.addSamples(match.samples);
    const times = row.actual === 1 ? '' : ` ${row.actual} times`;
    const steps = row.influencers
      .map(({ name }) => `'${name.length > 80 ? `${name.slice(0, 79)}…` : name}'`)
      .join(' → ');
    row.description = `sequence ${config.name} seen${times}, last within ${span(match.lastMs - match.startMs)}: ${steps}`;
    incident.write(context);
  }
}

function copyOf(prefix: Prefix): Prefix {
  return { ...prefix, slots: prefix.slots.slice(), samples: prefix.samples.slice() };
}
