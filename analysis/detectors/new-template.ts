/**
 * A template that this service never wrote before, and now writes again and again. Told only after a warm-up, from a
 * severity on, and as one finding for templates that come together (an exception and its stack). A lone rare message
 * is none; several findings in a short time mean that the service is still being learned, or a deploy.
 */
import { type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { andMore, clock, often, quote, span } from './describe.ts';
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
  count: number;
  quietWindows: number;
  /** Event times of the findings within `burstMs`. */
  recent: number[];
}

const slotsMax = 16;
const candidatesMax = 32;
const sureChance = 0.95;
const lumpMs = 15_000;
/** Windows without a record of it that end an incident, and after which its templates count as known. */
const endWindows = 4;
const forgetWindows = 20;

export class NewTemplateDetector {
  private readonly config: DetectorsConfig['newTemplate'];
  private incident: Incident | null = null;
  private slots: number[] = [];
  private candidates: Candidate[] = [];
  private firstMs = -1;
  private records = 0;
  private recent: number[] = [];
  /** Records of the incident. */
  private count = 0;
  private quietWindows = 0;

  constructor(config: DetectorsConfig['newTemplate']) {
    this.config = config;
  }

  /** Told already, now or within the last minutes. */
  isTold(slot: number): boolean {
    return this.slots.includes(slot);
  }

  /** New, and about to be told if it goes on. */
  isWaiting(slot: number): boolean {
    return this.candidates.some((candidate) => candidate.slot === slot);
  }

  /** The miner took a template that is told into this one. */
  isMerged(slot: number, context: StepContext): boolean {
    if (this.slots.length === 0) return false;
    const id = templateInfo(context.host, slot)?.id;
    return id !== undefined && this.slots.some((told) => templateInfo(context.host, told)?.id === id);
  }

  /** Records of templates that are new and not told yet. */
  get waiting(): number {
    let sum = 0;
    for (const { count } of this.candidates) sum += count;
    return sum;
  }

  /** When the incident began, ms; 0 before the first one. */
  get startMs(): number {
    return this.incident?.row.startMs ?? 0;
  }

  get isOpen(): boolean {
    return this.incident !== null && this.quietWindows < endWindows;
  }

  /** Records of the incident in this window. */
  excessOf(window: WindowState): number {
    let sum = 0;
    for (const slot of this.slots) sum += window.slotRecords[slot] ?? 0;
    return sum;
  }

  /** The incident lasts as long as its messages come. */
  windowClosed(window: WindowState, context: StepContext): void {
    const { incident } = this;
    if (incident === null) return;
    const records = this.excessOf(window);
    if (records === 0) {
      if (++this.quietWindows === endWindows) incident.end(context);
      if (this.quietWindows < forgetWindows) return;
      this.incident = null;
      this.slots = [];
      return;
    }
    if (this.quietWindows >= endWindows) return;
    this.quietWindows = 0;
    const { row } = incident;
    row.endMs = Math.max(row.endMs, window.endMs);
    row.eventMs = window.newestMs;
    this.count = Math.max(this.count, 0) + records;
    row.actual = Math.max(row.actual, records / ((window.endMs - window.startMs) / 1000));
    this.describe(incident, context);
    incident.write(context);
  }

  /** @param otherErrors whether errors of known templates are on the rise too: then this is a part of that */
  observe(
    event: ObservedEvent,
    timeMs: number,
    severityClass: number,
    otherErrors: () => boolean,
    context: StepContext,
  ): void {
    const { config } = this;
    if (this.records < config.warmupRecords) this.records++;
    if (this.firstMs < 0) this.firstMs = timeMs;
    if (event.isNewTemplate) this.begin(event, timeMs, severityClass);
    if (this.candidates.length === 0) return;
    const candidate = this.candidates.find(({ slot }) => slot === event.templateSlot);
    if (candidate === undefined) return;
    if (timeMs - candidate.firstMs > 2 * config.mergeMs) {
      this.drop(candidate);
      return;
    }
    candidate.count++;
    // A fatal error need not come twice; what comes slowly must come once more.
    const needed = timeMs - candidate.firstMs <= config.mergeMs ? config.countMin : config.countMin + 1;
    if (candidate.count < needed && event.severityNumber < 21) return;
    if (event.severityNumber < 21 && candidate.count < 4 * config.countMin && otherErrors()) return;
    // An error by its words only may be a lump of retries in a new place.
    if (!event.isStated && event.errorChance < sureChance && timeMs - candidate.firstMs < lumpMs) return;
    this.drop(candidate);
    this.found(candidate, event, timeMs, severityClass, context);
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
      count: this.count,
      quietWindows: this.quietWindows,
      recent: this.recent.slice(),
    };
  }

  restore(state: NewTemplateSnapshot): void {
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.slots = state.slots.slice();
    this.candidates = state.candidates.map((candidate) => ({ ...candidate }));
    this.firstMs = state.firstMs;
    this.records = state.records;
    this.count = state.count;
    this.quietWindows = state.quietWindows;
    this.recent = state.recent.slice();
  }

  private begin(event: ObservedEvent, timeMs: number, severityClass: number): void {
    const { severityMin, warmupRecords, warmupMs, mergeMs } = this.config;
    this.candidates = this.candidates.filter(
      ({ slot, firstMs }) => slot !== event.templateSlot && Math.abs(timeMs - firstMs) <= 2 * mergeMs,
    );
    // Without a stated severity, what counts as an error is one here too.
    const severity = severityClass >= 4 ? Math.max(17, event.severityNumber) : event.severityNumber;
    if (severity < severityMin || this.candidates.length >= candidatesMax) return;
    if (this.records < warmupRecords || timeMs - this.firstMs < warmupMs) return;
    const sample = sampleOf(event.bytes, event.start, event.end);
    this.candidates.push({ slot: event.templateSlot, firstMs: timeMs, count: 0, sample });
  }

  private drop(candidate: Candidate): void {
    this.candidates = this.candidates.filter((other) => other !== candidate);
  }

  private found(
    candidate: Candidate,
    event: ObservedEvent,
    timeMs: number,
    severityClass: number,
    context: StepContext,
  ): void {
    const { mergeMs, burstMs, burstMax } = this.config;
    let { incident } = this;
    if (incident !== null && Math.abs(timeMs - incident.row.endMs) <= 2 * mergeMs) {
      if (this.slots.length < slotsMax) this.slots.push(candidate.slot);
    } else {
      this.recent = this.recent.filter((at) => Math.abs(timeMs - at) < burstMs);
      if (this.recent.length >= burstMax) return;
      this.recent.push(timeMs);
      if (incident !== null && this.quietWindows < endWindows) incident.end(context);
      const id = templateInfo(context.host, candidate.slot)?.id ?? '';
      incident = Incident.open(context, 'new_template', id, candidate.firstMs);
      incident.row.decidedAtMs = timeMs;
      this.incident = incident;
      this.slots = [candidate.slot];
      this.count = 0;
      this.quietWindows = 0;
    }
    const { row } = incident;
    row.score = Math.max(row.score, scoreOf(Math.max(event.severityNumber, severityClass >= 4 ? 17 : 0)));
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
    row.actual = Math.max(row.actual, (1000 * this.config.countMin) / Math.max(1000, timeMs - candidate.firstMs));
    this.describe(incident, context);
    incident.write(context);
  }

  private describe(incident: Incident, context: StepContext): void {
    const { row } = incident;
    const first = templateText(context.host, this.slots[0] as number);
    const lastedMs = row.endMs - row.startMs;
    const counted = this.count > 0 ? `, ${often(this.count)}${lastedMs > 0 ? ` in ${span(lastedMs)}` : ''}` : '';
    const what = this.slots.length > 1 ? 'messages' : 'a message';
    row.description =
      `${what} never seen here before: ${quote(first)}${andMore(this.slots.length - 1)}${counted},` +
      ` first seen ${clock(row.startMs, row.endMs)}`;
  }
}

/** Novelty has no tail probability that would be worth its name; the severity says how bad it is. */
function scoreOf(severityNumber: number): number {
  if (severityNumber >= 21) return 85;
  if (severityNumber >= 17) return 70;
  return severityNumber >= 13 ? 50 : 30;
}
