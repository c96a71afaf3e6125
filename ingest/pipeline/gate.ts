/**
 * The one place that acts on what the pipeline says: everything that receivers, files and jobs read passes here on its way to the
 * batch publisher. So partitions see records as the pipeline left them, and a replay needs no pipeline (R2).
 */
import { type DeadLetters, noDeadLetters } from '#bus/mod.ts';
import type { LineParserOptions, RawLines } from '#analysis/formats/mod.ts';
import { Item, type Origin, type Outcome, type Pipeline } from '#analysis/pipeline/mod.ts';
import { attributesMax, type DeadLetter, type LogRecord, type RecordView, recordBytesMax } from '#protocol/mod.ts';
import { foldedAttributes } from '../mapping/record.ts';
import { asNdjson } from './ndjson-line.ts';

export type LineOptions = Pick<LineParserOptions, 'keepRaw' | 'folding'>;

/** Where records come from, as dead letters name it. */
export interface Source extends Origin {
  /** Client address, file, subject. */
  place: string;
  /** First line of the record in its file, from 1; 0 where there are no lines. */
  line: number;
}

/** What files need of a gate. */
export interface Passage {
  lineOptions(receiver: string, file: string, service: string): LineOptions;
  passRecord<R extends RecordWithLines>(record: R, source: Source): R | null;
}

export type RecordWithLines = LogRecord & { raw?: RawLines | undefined };

const noLineOptions: LineOptions = {};

export class Gate implements Passage {
  /** Null: records pass as they are. */
  readonly pipeline: Pipeline | null;
  private readonly dead: DeadLetters;
  private readonly now: (() => number) | undefined;
  private readonly item = new Item();
  /** Records that were over the limit of one once the steps were done. */
  private tooLarge = 0;

  /** `now`: the wall clock of dead letters, ms; default the time of their source. */
  constructor(pipeline: Pipeline | null, dead: DeadLetters = noDeadLetters, now?: () => number) {
    this.pipeline = pipeline;
    this.dead = dead;
    this.now = now;
  }

  /** How lines of a source are read. `service`: of all its lines, '' where they say it. */
  lineOptions(receiver: string, file: string, service: string): LineOptions {
    const { pipeline } = this;
    if (pipeline === null) return noLineOptions;
    return { keepRaw: pipeline.needsRaw, folding: pipeline.foldingOf({ receiver, file, service }) };
  }

  /**
   * What goes on of a view, null where nothing does; it holds until the next record. `put` takes dead letters instead of the
   * stream, where they must wait.
   */
  passView(
    view: RecordView,
    source: Source,
    raw: RawLines | null,
    put?: (letter: DeadLetter) => void,
  ): RecordView | null {
    const { pipeline, item } = this;
    if (pipeline === null) return view;
    item.loadView(view, source, raw);
    return this.act(pipeline.run(item), source, raw, put) ? item.toView() : null;
  }

  /** The same for a row. */
  passRecord<R extends RecordWithLines>(record: R, source: Source): R | null {
    const { pipeline, item } = this;
    if (pipeline === null) return record;
    const raw = record.raw ?? null;
    item.loadRecord(record, source, raw);
    return this.act(pipeline.run(item), source, raw, undefined) ? (item.toRecord() as R) : null;
  }

  /** True where the record goes on. */
  private act(outcome: Outcome, source: Source, raw: RawLines | null, put?: (letter: DeadLetter) => void): boolean {
    switch (outcome.kind) {
      case 'ok':
      case 'redirect':
        if (!this.item.changed || this.fits()) return true;
        this.tooLarge++;
        this.setAside('over the limit of one record', source, raw, put);
        return false;
      case 'dead':
        this.setAside(`${outcome.step}: ${outcome.reason}`, source, raw, put);
        return false;
      case 'drop':
        return false;
    }
  }

  /** Steps may have made it larger than a record may be. */
  private fits(): boolean {
    const { item } = this;
    if (item.attributes.length > attributesMax * 2) item.attributes = foldedAttributes([...item.attributes]);
    const { body, severityText, attributes, resource } = item;
    let characters = body.length + severityText.length;
    for (const part of attributes) characters += part.length;
    for (const part of resource ?? []) characters += part.length;
    // Three bytes a character at most: exact only near the limit.
    if (characters * 3 <= recordBytesMax) return true;
    let bytes = Buffer.byteLength(body) + Buffer.byteLength(severityText);
    for (const part of attributes) bytes += Buffer.byteLength(part);
    for (const part of resource ?? []) bytes += Buffer.byteLength(part);
    return bytes <= recordBytesMax;
  }

  private setAside(
    detail: string,
    source: Source,
    raw: RawLines | null,
    put = (letter: DeadLetter) => this.dead.put(letter),
  ): void {
    const { item } = this;
    // As it came, where that may be kept and says all; else as the steps, the redacting ones among them, left it.
    const asItCame = raw !== null && raw.wrapper === undefined && this.pipeline?.keepsSecrets === true;
    const text = asItCame ? (raw.tail === '' ? raw.head : `${raw.head}\n${raw.tail}`) : asNdjson(item);
    const query = asItCame && raw.serviceGiven ? `?service=${encodeURIComponent(item.service)}` : '';
    put({
      reason: 'pipeline',
      detail,
      receiver: source.receiver,
      source: source.line > 0 ? `${source.place}:${source.line}` : source.place,
      service: item.service,
      atMs: this.now?.() ?? source.nowMs,
      bytes: Buffer.from(text),
      resend: { path: `/ingest${query}`, contentType: asItCame ? 'text/plain' : 'application/x-ndjson' },
    });
  }

  /** For heartbeats and status; nothing where no pipeline is configured. */
  counters(): Record<string, number> {
    const { pipeline } = this;
    if (pipeline === null) return {};
    const { dropped, dead, redirected } = pipeline.totals();
    return { pipelineDropped: dropped, pipelineDead: dead + this.tooLarge, pipelineRedirected: redirected };
  }

  /** Prometheus text: what each step said, by reason. */
  metrics(): string {
    const { pipeline } = this;
    if (pipeline === null) return '';
    const lines = ['# TYPE logweir_pipeline_records_total counter'];
    for (const { step, outcome, reason, count } of pipeline.counts())
      lines.push(
        `logweir_pipeline_records_total{step="${label(step)}",outcome="${outcome}",reason="${label(reason)}"} ${count}`,
      );
    if (this.tooLarge > 0)
      lines.push(
        `logweir_pipeline_records_total{step="",outcome="dead",reason="over the limit of one record"} ${this.tooLarge}`,
      );
    return `${lines.join('\n')}\n`;
  }
}

const label = (text: string): string => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');

/** Lets everything pass. */
export const openGate = new Gate(null);
