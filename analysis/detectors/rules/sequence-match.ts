/**
 * Ordered patterns: A, then B, then C, all within a time and with bounds on the pauses between; and patterns that
 * something must follow: A without B within a time. Records that match a step wait in a small buffer until
 * the watermark has passed them and are taken in order of event time, so disorder within what is allowed cannot
 * fake or hide an order. For each prefix of a pattern the latest is kept, which is the best one there is; a few where
 * a least pause may rule out the latest.
 */
import { type ObservedEvent, sampleOf } from '#analysis/windows/mod.ts';
import { isSelective, type MatcherConfig, type SequenceConfig } from '../config.ts';
import { clock, often, quote, span } from '../describe.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateText } from '../incident.ts';

/** Records that wait for the watermark; beyond this the oldest is taken early. */
const waitingMax = 256;
/** Prefixes kept per step where pauses have a least length, and matches that wait for what must follow. */
const prefixesMax = 16;
const pendingMax = 256;

/** Matchers of a sequence in the order of their indices: the steps, then what must not be missing. */
export function sequenceMatchers({ steps, without }: SequenceConfig): MatcherConfig[] {
  return isSelective(without) ? [...steps, without] : steps;
}

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
  patterns: { name: string; prefixes: Prefix[][]; pending: Prefix[]; incident: IncidentSnapshot | null }[];
}

interface Pattern {
  config: SequenceConfig;
  firstStep: number;
  isAbsence: boolean;
  /** By step: newest last. */
  prefixes: Prefix[][];
  /** Whole, and waiting for what must follow, oldest first. */
  pending: Prefix[];
  incident: Incident | null;
}

export class SequenceMatchDetector {
  private waiting: Waiting[] = [];
  private readonly patterns: Pattern[] = [];

  /** Steps take the matcher indices from 0 on, sequence after sequence. */
  constructor(configs: readonly SequenceConfig[]) {
    let firstStep = 0;
    for (const config of configs) {
      const isAbsence = isSelective(config.without);
      const prefixes: Prefix[][] = config.steps.map(() => []);
      this.patterns.push({ config, firstStep, isAbsence, prefixes, pending: [], incident: null });
      firstStep += sequenceMatchers(config).length;
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
    for (const pattern of this.patterns) this.expire(pattern, watermarkMs, context);
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0 || this.patterns.some(({ pending }) => pending.length > 0);
  }

  snapshot(): SequenceMatchSnapshot {
    return {
      waiting: this.waiting.map((entry) => ({ ...entry, steps: entry.steps.slice() })),
      patterns: this.patterns.map(({ config, prefixes, pending, incident }) => ({
        name: config.name,
        prefixes: prefixes.map((step) => step.map(copyOf)),
        pending: pending.map(copyOf),
        incident: incident?.snapshot() ?? null,
      })),
    };
  }

  restore(state: SequenceMatchSnapshot): void {
    this.waiting = state.waiting.map((entry) => ({ ...entry, steps: entry.steps.slice() }));
    for (const saved of state.patterns) {
      const pattern = this.patterns.find(({ config }) => config.name === saved.name);
      if (pattern === undefined || saved.prefixes.length !== pattern.prefixes.length) continue;
      pattern.prefixes = saved.prefixes.map((step) => step.map(copyOf));
      pattern.pending = saved.pending.map(copyOf);
      pattern.incident = saved.incident === null ? null : Incident.restore(saved.incident);
    }
  }

  private take(entry: Waiting, context: StepContext): void {
    for (const pattern of this.patterns) this.step(pattern, entry, context);
  }

  private step(pattern: Pattern, entry: Waiting, context: StepContext): void {
    const { config, firstStep, prefixes, pending } = pattern;
    const { withinMs, gapMsMin, gapMsMax } = config;
    this.expire(pattern, entry.timeMs, context);
    if (pattern.isAbsence && entry.steps.includes(firstStep + prefixes.length)) pending.shift();
    // From the last step down, so that one record is never two steps of the same match.
    for (let i = prefixes.length - 1; i >= 0; i--) {
      if (!entry.steps.includes(firstStep + i)) continue;
      let startMs = entry.timeMs;
      let before: Prefix | undefined;
      if (i > 0) {
        before = (prefixes[i - 1] as Prefix[]).findLast((prefix) => {
          const gapMs = entry.timeMs - prefix.lastMs;
          return (
            gapMs >= gapMsMin && (gapMsMax === 0 || gapMs <= gapMsMax) && entry.timeMs - prefix.startMs <= withinMs
          );
        });
        if (before === undefined) continue;
        ({ startMs } = before);
      }
      const kept = prefixes[i] as Prefix[];
      kept.push({
        startMs,
        lastMs: entry.timeMs,
        slots: [...(before?.slots ?? []), entry.slot],
        samples: [...(before?.samples ?? []), entry.sample],
      });
      if (kept.length > (gapMsMin === 0 ? 1 : prefixesMax)) kept.shift();
    }
    const whole = prefixes.at(-1)?.pop();
    if (whole === undefined) return;
    for (const step of prefixes) step.length = 0;
    if (!pattern.isAbsence) this.found(pattern, whole, context);
    else if (pending.length < pendingMax) pending.push(whole);
  }

  /** What should have followed has not, and will not in time. */
  private expire(pattern: Pattern, untilMs: number, context: StepContext): void {
    const { pending, config } = pattern;
    while (pending.length > 0 && (pending[0] as Prefix).startMs + config.withinMs < untilMs)
      this.found(pattern, pending.shift() as Prefix, context);
  }

  /** Matches within `withinMs` of the last one belong to the same incident. */
  private found(pattern: Pattern, match: Prefix, context: StepContext): void {
    const { config } = pattern;
    let { incident } = pattern;
    if (incident === null || match.startMs - incident.row.endMs > config.withinMs) {
      const name = pattern.isAbsence ? 'sequence_broken' : 'sequence_match';
      incident = Incident.open(context, name, config.name, match.startMs);
      incident.row.score = config.score;
      incident.row.decidedAtMs = pattern.isAbsence ? match.startMs + config.withinMs : match.lastMs;
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
    const steps = row.influencers.map(({ name }) => quote(name, 80)).join(' → ');
    row.description = pattern.isAbsence
      ? `sequence ${config.name} broken ${often(row.actual)}: ${steps} not followed by ${toldMatcher(config.without)} within ${span(config.withinMs)}, ${row.actual === 1 ? '' : 'last '}at ${clock(match.lastMs, row.startMs)}`
      : `sequence ${config.name} seen ${often(row.actual)}, ${row.actual === 1 ? '' : 'last '}within ${span(match.lastMs - match.startMs)} at ${clock(match.lastMs, row.startMs)}: ${steps}`;
    // No later moment ends it: each version may be the last.
    incident.end(context);
  }
}

/** A matcher in words. */
function toldMatcher({ contains, matches, severityMin, severityMax }: MatcherConfig): string {
  if (contains.length > 0) return contains.map((text) => quote(text, 80)).join(' or ');
  if (matches !== '') return `/${matches}/`;
  return `a record of severity ${severityMin} to ${severityMax}`;
}

function copyOf(prefix: Prefix): Prefix {
  return { ...prefix, slots: prefix.slots.slice(), samples: prefix.samples.slice() };
}
