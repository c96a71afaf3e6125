/** Drives a service with bodies that a miner reads, as the actor does: for detectors that look at values in messages. */
import { TemplateMiner, templateDefaults, type MinerSnapshot } from '#analysis/templates/mod.ts';
import type { Anomaly } from '#protocol/findings.ts';
import { type ObservedEvent, parseAnalysisConfig, ServiceAnalysis, type ServiceAnalysisSnapshot } from './mod.ts';
import { emptyFindings } from './test-stream.ts';

export interface MinedRecord {
  timeMs: number;
  body: string;
  severity?: number;
  traceId?: string;
}

const identity = { service: 'shop', lane: 'job-1', live: false };
const encoder = new TextEncoder();

export class MinedDriver {
  readonly out = emptyFindings();
  sequence = 0;
  private miner = new TemplateMiner();
  private readonly config: ReturnType<typeof parseAnalysisConfig>;
  private analysis: ServiceAnalysis;
  private readonly host = {
    templateOf: (slot: number) => {
      const { id, text, firstSeenMs } = this.miner.template(this.miner.resolve(slot));
      return { id, text, firstSeenMs };
    },
    valuesOf: (slot: number, bytes: Uint8Array, start: number, end: number) =>
      this.miner.valuesOf(slot, bytes, start, end),
    kinOf: (slot: number) => this.miner.kinOf(slot),
  };

  constructor(config: unknown = {}) {
    this.config = parseAnalysisConfig(config);
    this.analysis = new ServiceAnalysis(this.config, identity, this.host);
  }

  send(records: readonly MinedRecord[]): this {
    this.sequence++;
    for (const { timeMs, body, severity = 9, traceId = '' } of records) {
      const bytes = encoder.encode(body);
      const slot = this.miner.mine(bytes, 0, bytes.length, timeMs);
      const trace = encoder.encode(traceId);
      const event: ObservedEvent = {
        timeMs,
        streamTimeMs: timeMs,
        sequence: this.sequence,
        severityNumber: severity,
        isStated: true,
        errorChance: 0,
        templateSlot: slot,
        isNewTemplate: this.miner.isNew,
        numbers: this.miner.numbers,
        numberCount: this.miner.numberCount,
        bytes,
        start: 0,
        end: bytes.length,
        trace: { bytes: trace, start: 0, end: trace.length },
      };
      this.analysis.observe(event, this.out);
    }
    this.miner.takeChanged();
    this.analysis.flush(this.sequence, this.out);
    return this;
  }

  sendIn(records: readonly MinedRecord[], batch: number): this {
    for (let at = 0; at < records.length; at += batch) this.send(records.slice(at, at + batch));
    return this;
  }

  end(): this {
    this.analysis.end(++this.sequence, this.out);
    return this;
  }

  snapshot(): unknown {
    return { miner: this.miner.snapshot(), analysis: this.analysis.snapshot() };
  }

  /** Goes on from a snapshot in place of what it is. */
  restore(snapshot: unknown): void {
    const { miner, analysis } = snapshot as { miner: MinerSnapshot; analysis: ServiceAnalysisSnapshot };
    this.miner = TemplateMiner.restore(templateDefaults, miner);
    this.analysis = ServiceAnalysis.restore(this.config, identity, this.host, analysis);
  }

  /** Final versions of anomalies, in order of opening. */
  anomalies(): Anomaly[] {
    const rows = new Map<string, Anomaly>();
    for (const row of this.out.anomalies) rows.set(row.anomalyId, row);
    return [...rows.values()];
  }
}
