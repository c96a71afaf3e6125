/**
 * A template that this service never wrote before, and now writes again and again. Told only after a warm-up, from a
 * severity on, and as one finding for templates that come together (an exception and its stack). A lone rare message
 * is none; several findings in a short time mean that the service is still being learned, or a deploy.
 */
import { type ObservedEvent, sampleOf } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateInfo, templateText } from './incident.ts';

/** A new template that has not come often enough yet. */
interface Candidate {
  slot: number;
  firstMs: number;
  count: number;
  sample: string;
}

export interface NewTemplateSnapshot {
  incident: IncidentSnapshot | null;
  slots: number[];
  candidates: Candidate[];
  firstMs: number;
  records: number;
  /** Event times of the findings within `burstMs`. */
  recent: number[];
}

const slotsMax = 16;
const candidatesMax = 32;

export class NewTemplateDetector {
  private readonly config: DetectorsConfig['newTemplate'];
  private incident: Incident | null = null;
  private slots: number[] = [];
  private candidates: Candidate[] = [];
  private firstMs = -1;
  private records = 0;
  private recent: number[] = [];

  constructor(config: DetectorsConfig['newTemplate']) {
    this.config = config;
  }

  observe(event: ObservedEvent, timeMs: number, context: StepContext): void {
    const { config } = this;
    if (this.records < config.warmupRecords) this.records++;
    if (this.firstMs < 0) this.firstMs = timeMs;
    if (event.isNewTemplate) this.begin(event, timeMs);
    if (this.candidates.length === 0) return;
    const candidate = this.candidates.find(({ slot }) => slot === event.templateSlot);
    if (candidate === undefined) return;
    if (timeMs - candidate.firstMs > config.mergeMs) {
      this.drop(candidate);
      return;
    }
    candidate.count++;
    // A fatal error need not come twice.
    if (candidate.count < config.countMin && event.severityNumber < 21) return;
    this.drop(candidate);
    this.found(candidate, event, timeMs, context);
  }

  /** The next record is the first. */
  startOver(): void {
    this.firstMs = -1;
    this.records = 0;
  }

  snapshot(): NewTemplateSnapshot {
    return {
      incident: this.incident?.snapshot() ?? null,
      slots: this.slots.slice(),
      candidates: this.candidates.map((candidate) => ({ ...candidate })),
      firstMs: this.firstMs,
      records: this.records,
      recent: this.recent.slice(),
    };
  }

  restore(state: NewTemplateSnapshot): void {
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.slots = state.slots.slice();
    this.candidates = state.candidates.map((candidate) => ({ ...candidate }));
    this.firstMs = state.firstMs;
    this.records = state.records;
    this.recent = state.recent.slice();
  }

  private begin(event: ObservedEvent, timeMs: number): void {
    const { severityMin, warmupRecords, warmupMs, mergeMs } = this.config;
    this.candidates = this.candidates.filter(
      ({ slot, firstMs }) => slot !== event.templateSlot && Math.abs(timeMs - firstMs) <= mergeMs,
    );
    if (event.severityNumber < severityMin || this.candidates.length >= candidatesMax) return;
    if (this.records < warmupRecords || timeMs - this.firstMs < warmupMs) return;
    const sample = sampleOf(event.bytes, event.start, event.end);
    this.candidates.push({ slot: event.templateSlot, firstMs: timeMs, count: 0, sample });
  }

  private drop(candidate: Candidate): void {
    this.candidates = this.candidates.filter((other) => other !== candidate);
  }

  private found(candidate: Candidate, event: ObservedEvent, timeMs: number, context: StepContext): void {
    const { mergeMs, burstMs, burstMax } = this.config;
    let { incident } = this;
    if (incident !== null && Math.abs(timeMs - incident.row.endMs) <= mergeMs) {
      if (this.slots.length < slotsMax) this.slots.push(candidate.slot);
    } else {
      this.recent = this.recent.filter((at) => Math.abs(timeMs - at) < burstMs);
      if (this.recent.length >= burstMax) return;
      this.recent.push(timeMs);
      const id = templateInfo(context.host, candidate.slot)?.id ?? '';
      incident = Incident.open(context, 'new_template', id, candidate.firstMs);
      incident.row.decidedAtMs = timeMs;
      this.incident = incident;
      this.slots = [candidate.slot];
    }
    const { row } = incident;
    row.actual = this.slots.length;
    row.score = Math.max(row.score, scoreOf(event.severityNumber));
    row.endMs = Math.max(row.endMs, timeMs);
    row.eventMs = timeMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.influencers = this.slots.slice(0, 3).map((slot) => ({
      kind: 'template' as const,
      name: templateText(context.host, slot),
      share: Math.round(1000 / this.slots.length) / 1000,
    }));
    incident.addSamples([candidate.sample]);
    const first = row.influencers[0]?.name ?? '';
    row.description =
      row.actual === 1
        ? `a message never seen here before: '${first}'`
        : `${row.actual} messages never seen here before, the first '${first}'`;
    incident.write(context);
  }
}

/** Novelty has no tail probability that would be worth its name; the severity says how bad it is. */
function scoreOf(severityNumber: number): number {
  if (severityNumber >= 21) return 85;
  if (severityNumber >= 17) return 70;
  return severityNumber >= 13 ? 50 : 30;
}
