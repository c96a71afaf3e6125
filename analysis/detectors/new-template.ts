/**
 * A template that this service never wrote before. Told only after a warm-up, from a severity on, and as one finding
 * for templates that come together (an exception and its stack); a burst of them means learning or a deploy.
 */
import { type ObservedEvent, sampleOf } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateInfo, templateText } from './incident.ts';

export interface NewTemplateSnapshot {
  incident: IncidentSnapshot | null;
  slots: number[];
  firstMs: number;
  records: number;
  /** Event times of the findings within `burstMs`. */
  recent: number[];
}

const slotsMax = 16;

export class NewTemplateDetector {
  private readonly config: DetectorsConfig['newTemplate'];
  private incident: Incident | null = null;
  private slots: number[] = [];
  private firstMs = -1;
  private records = 0;
  private recent: number[] = [];

  constructor(config: DetectorsConfig['newTemplate']) {
    this.config = config;
  }

  observe(event: ObservedEvent, timeMs: number, context: StepContext): void {
    if (this.records < this.config.warmupRecords) this.records++;
    if (this.firstMs < 0) this.firstMs = timeMs;
    if (!event.isNewTemplate || event.severityNumber < this.config.severityMin) return;
    if (this.records < this.config.warmupRecords || timeMs - this.firstMs < this.config.warmupMs) return;
    const { incident } = this;
    if (incident !== null && Math.abs(timeMs - incident.row.endMs) <= this.config.mergeMs) {
      if (this.slots.length < slotsMax) this.slots.push(event.templateSlot);
      incident.row.actual++;
      if (timeMs > incident.row.endMs) incident.row.endMs = timeMs;
      this.write(incident, event, context);
      return;
    }
    this.recent = this.recent.filter((at) => Math.abs(timeMs - at) < this.config.burstMs);
    if (this.recent.length >= this.config.burstMax) return;
    this.recent.push(timeMs);
    const id = templateInfo(context.host, event.templateSlot)?.id ?? '';
    const opened = Incident.open(context, 'new_template', id, timeMs);
    opened.row.actual = 1;
    opened.row.decidedAtMs = timeMs;
    opened.row.eventMs = timeMs;
    this.incident = opened;
    this.slots = [event.templateSlot];
    this.write(opened, event, context);
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
      firstMs: this.firstMs,
      records: this.records,
      recent: this.recent.slice(),
    };
  }

  restore(state: NewTemplateSnapshot): void {
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.slots = state.slots.slice();
    this.firstMs = state.firstMs;
    this.records = state.records;
    this.recent = state.recent.slice();
  }

  private write(incident: Incident, event: ObservedEvent, context: StepContext): void {
    const { row } = incident;
    const score =
      event.severityNumber >= 21 ? 85 : event.severityNumber >= 17 ? 70 : event.severityNumber >= 13 ? 50 : 30;
    row.score = Math.max(row.score, score);
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.influencers = this.slots.slice(0, 3).map((slot) => ({
      kind: 'template' as const,
      name: templateText(context.host, slot),
      share: Math.round(1000 / this.slots.length) / 1000,
    }));
    incident.addSamples([sampleOf(event.bytes, event.start, event.end)]);
    const first = row.influencers[0]?.name ?? '';
    row.description =
      row.actual === 1
        ? `a message never seen here before: '${first}'`
        : `${row.actual} messages never seen here before, the first '${first}'`;
    incident.write(context);
  }
}
