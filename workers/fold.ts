/**
 * The oracle: one process folds the recorded LOGS stream, partition by partition, and keeps the final versions. What
 * any cluster stored, under any faults and worker counts, must equal this bit for bit (R2).
 */
import type { Anomaly, Section, TemplateRow, WindowRow } from '#protocol/mod.ts';
import { uint16At } from '#protocol/mod.ts';
import { Partition, type PartitionShell } from './partition.ts';
import { ModelMissingError } from './partition-models.ts';

export interface FoldResult {
  windows: Map<string, WindowRow>;
  templates: Map<string, TemplateRow>;
  anomalies: Map<string, Anomaly>;
  /** Rows by `partition/template/category/predicted severity`. */
  rows: Map<string, number>;
  totals: { messages: number; rows: number; duplicates: number; deadLetters: number };
}

export const windowKey = (service: string, lane: string, startMs: number): string => `${lane}/${service}/${startMs}`;
export const templateKey = (service: string, lane: string, id: string): string => `${lane}/${service}/${id}`;

export function emptyFold(): FoldResult {
  return {
    windows: new Map(),
    templates: new Map(),
    anomalies: new Map(),
    rows: new Map(),
    totals: { messages: 0, rows: 0, duplicates: 0, deadLetters: 0 },
  };
}

/** Folds one partition, message by message. A message whose analysis throws is a dead letter that changes no state. */
export class PartitionFold {
  private partition: Partition;
  private snapshot: Uint8Array | null = null;
  private sinceSnapshot: { sequence: number; timeMs: number; data: Uint8Array; poisoned: string | null }[] = [];

  private readonly shell: PartitionShell;

  /** `shell`: with the models that the stream names, loaded before the message is taken. */
  constructor(partition: number, shell: PartitionShell = {}) {
    this.shell = shell;
    this.partition = new Partition(partition, shell);
  }

  take(message: { sequence: number; timeMs: number; data: Uint8Array }, result: FoldResult): Section {
    let section: Section;
    let poisoned: string | null = null;
    try {
      section = this.partition.step(message).section;
    } catch (error) {
      if (error instanceof ModelMissingError) throw error;
      poisoned = (error as Error).message;
      this.rewind();
      section = this.partition.step(message, poisoned).section;
    }
    this.sinceSnapshot.push({ ...message, poisoned });
    if (this.sinceSnapshot.length >= snapshotEvery) {
      this.snapshot = this.partition.snapshot();
      this.sinceSnapshot = [];
    }
    this.keep(section, result);
    return section;
  }

  private rewind(): void {
    const { partition } = this.partition;
    this.partition =
      this.snapshot === null
        ? new Partition(partition, this.shell)
        : Partition.restore(this.snapshot, partition, this.shell);
    for (const message of this.sinceSnapshot) this.partition.step(message, message.poisoned);
  }

  private keep(section: Section, result: FoldResult): void {
    const { windows, templates, anomalies, rows, totals } = result;
    totals.messages++;
    totals.duplicates += section.duplicates;
    if (section.deadLetter !== null) totals.deadLetters++;
    for (const row of section.windows) windows.set(windowKey(row.service, row.lane, row.startMs), row);
    for (const row of section.templates) templates.set(templateKey(row.service, row.lane, row.templateId), row);
    for (const anomaly of section.anomalies) anomalies.set(anomaly.anomalyId, anomaly);
    const { batch, enrichment } = section;
    if (batch === null || enrichment === null) return;
    totals.rows += batch.rows;
    for (let row = 0; row < batch.rows; row++) {
      const template = enrichment.templateId.values[uint16At(enrichment.templateId.index, row)];
      const category = enrichment.category.values[uint16At(enrichment.category.index, row)];
      const key = `${this.partition.partition}/${template}/${category}/${enrichment.predictedSeverityNumber[row]}`;
      rows.set(key, (rows.get(key) ?? 0) + 1);
    }
  }
}

/** Messages between snapshots: what a poison message costs to take back. */
const snapshotEvery = 256;
