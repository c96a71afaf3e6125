/** Records of one input, in its order, each with the time that places it among other inputs. */
import { dirname, join } from 'node:path';
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { recordOfEntry } from './journald/record.ts';
import { containerAt, type InputFile, OverlongLine, readSources, type SourceBatch } from './files/mod.ts';
import { reasonAgainst } from './mapping/record.ts';
import type { TimedSource } from './merge.ts';
import type { Passage, Source } from './pipeline/gate.ts';

export interface FileRecord {
  record: ParsedRecord;
  /** Event time, ms: the record's own, else that of the record before it in its file, else when it is read. */
  timeMs: number;
}

/** Sums over all inputs of a job. */
export interface FileCounts {
  lines: number;
  records: number;
  folded: number;
  blank: number;
  /** Records that no format fits, kept whole; counted in `records` too. */
  unparsed: number;
  rejected: number;
  /** Records that the pipeline dropped, or set aside; counted in `records` too. */
  dropped: number;
  dead: number;
  byFormat: Record<string, number>;
  /** The first rejected lines: where and why. */
  rejections: { file: string; line: number; reason: string }[];
  /** Members of archives and inputs that were left out, and why. */
  skipped: { name: string; reason: string }[];
}

export const rejectionsNamedMax = 50;

export function emptyCounts(): FileCounts {
  return {
    lines: 0,
    records: 0,
    folded: 0,
    blank: 0,
    unparsed: 0,
    rejected: 0,
    dropped: 0,
    dead: 0,
    byFormat: {},
    rejections: [],
    skipped: [],
  };
}

export interface FileSourceOptions {
  service: string | undefined;
  /** When the job reads, ms. */
  nowMs: number;
  counts: FileCounts;
  onBytes: (bytes: number) => void;
  /** A file that turns out to be broken ends there; the other files go on. */
  onProblem: (error: LogweirError) => void;
  /** What records pass before they are merged: a step may tell their time. Default nothing. */
  gate?: Passage | undefined;
  signal: AbortSignal;
}

export class FileSource implements TimedSource<FileRecord> {
  private readonly file: InputFile;
  private readonly options: FileSourceOptions;
  private readonly batches: AsyncGenerator<SourceBatch>;
  private parser: LineParser | null = null;
  private source: Source = { receiver: 'file', file: '', place: '', line: 0, nowMs: 0, serviceGiven: false };
  private lastTimeMs: number | undefined;
  /** Lines read of the present source. */
  private line = 0;

  constructor(file: InputFile, options: FileSourceOptions) {
    this.file = file;
    this.options = options;
    this.batches = readSources(file, {
      signal: options.signal,
      onBytes: options.onBytes,
      onSkip: (name, reason) => options.counts.skipped.push({ name, reason }),
    });
  }

  async next(): Promise<readonly FileRecord[] | null> {
    let step: IteratorResult<SourceBatch>;
    try {
      step = await this.batches.next();
    } catch (error) {
      if (!(error instanceof LogweirError)) throw error;
      this.options.onProblem(error);
      return this.parser === null ? null : this.finish();
    }
    if (step.done === true) return null;
    return this.take(step.value);
  }

  private take(batch: SourceBatch): FileRecord[] {
    if (batch.entries !== undefined) return this.takeJournal(batch.source, batch.entries, batch.last);
    const records: FileRecord[] = [];
    this.parser ??= this.open(batch.source);
    const parser = this.parser;
    const emit = (record: ParsedRecord, line: number): void => this.pass(record, line, records);
    const { counts } = this.options;
    for (const line of batch.lines) {
      this.line++;
      if (!(line instanceof OverlongLine)) parser.push(line, emit, this.line);
      else {
        counts.lines++;
        this.reject(batch.source, this.line, `the line has ${line.sizeBytes} bytes, ${recordBytesMax} are allowed`);
      }
    }
    if (batch.last) records.push(...this.finish());
    return records;
  }

  /** Entries of a journal export: each counts as a line. */
  private takeJournal(source: string, entries: NonNullable<SourceBatch['entries']>, isLast: boolean): FileRecord[] {
    const { counts, nowMs, service } = this.options;
    const records: FileRecord[] = [];
    for (const entry of entries) {
      this.line++;
      counts.lines++;
      const record = 'malformed' in entry ? { reject: entry.malformed } : recordOfEntry(entry, nowMs);
      const reason = 'reject' in record ? record.reject : reasonAgainst(record);
      if ('reject' in record || reason !== '') {
        this.reject(source, this.line, reason);
        continue;
      }
      counts.records++;
      counts.byFormat['journal'] = (counts.byFormat['journal'] ?? 0) + 1;
      this.enter(source);
      const parsed = { ...record, ...(service === undefined ? {} : { service }), format: 'journal', lines: 1 };
      this.pass(parsed, this.line, records);
    }
    if (isLast) {
      this.line = 0;
      this.lastTimeMs = undefined;
    }
    return records;
  }

  /** Where a record goes once it is parsed. */
  private pass(record: ParsedRecord, line: number, records: FileRecord[]): void {
    const { gate, nowMs } = this.options;
    this.source.line = line;
    const passed = gate === undefined ? record : gate.passRecord(record, this.source);
    if (passed === null) return;
    this.lastTimeMs = passed.timeMs ?? this.lastTimeMs;
    records.push({ record: passed, timeMs: this.lastTimeMs ?? nowMs });
  }

  private enter(source: string): void {
    if (this.source.place === source) return;
    // As it lies there: a member of an archive is taken for a file beside it, without the suffixes of packing.
    const file = this.file.path === '-' ? source : join(dirname(this.file.path), source);
    const nowMs = Math.min(this.file.modifiedMs ?? this.options.nowMs, this.options.nowMs);
    const serviceGiven = this.options.service !== undefined;
    this.source = { receiver: 'file', file, place: source, line: 0, nowMs, serviceGiven };
  }

  private open(source: string): LineParser {
    this.lastTimeMs = undefined;
    this.line = 0;
    this.enter(source);
    const { service, gate } = this.options;
    return new LineParser({
      sourceName: source,
      container: this.file.path === '-' ? undefined : containerAt(this.source.file),
      service,
      observedMs: this.source.nowMs,
      ...gate?.lineOptions('file', this.source.file, service ?? ''),
      onReject: (line, reason) => this.options.counts.rejections.push({ file: source, line, reason }),
    });
  }

  private finish(): FileRecord[] {
    const records: FileRecord[] = [];
    this.parser?.flush((record, line) => this.pass(record, line, records));
    const counts = this.parser?.counts;
    if (counts !== undefined) {
      const sum = this.options.counts;
      for (const name of ['lines', 'records', 'folded', 'blank', 'unparsed', 'rejected'] as const)
        sum[name] += counts[name];
      for (const [format, count] of Object.entries(counts.byFormat))
        sum.byFormat[format] = (sum.byFormat[format] ?? 0) + count;
      sum.rejections.length = Math.min(sum.rejections.length, rejectionsNamedMax);
    }
    this.parser = null;
    return records;
  }

  private reject(file: string, line: number, reason: string): void {
    const { counts } = this.options;
    counts.rejected++;
    if (counts.rejections.length < rejectionsNamedMax) counts.rejections.push({ file, line, reason });
  }
}
