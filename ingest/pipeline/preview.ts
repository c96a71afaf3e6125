/**
 * What would come out of files, without a cluster: each record as the pipeline leaves it, with what happened on the way. Read and
 * parsed as `runJob` does it.
 */
import type { ParsedRecord } from '#analysis/formats/mod.ts';
import { Item, type Outcome, type Pipeline } from '#analysis/pipeline/mod.ts';
import type { LogRecord } from '#protocol/mod.ts';
import { FileSource, type FileSourceOptions } from '../file-source.ts';
import type { InputFile } from '../files/mod.ts';
import type { LineOptions, Passage, RecordWithLines, Source } from './gate.ts';

export interface Previewed {
  /** As it lies there. */
  file: string;
  /** Its first line, from 1. */
  line: number;
  lines: number;
  /** Built-in format that read it; `plain` where none did. */
  format: string;
  /** Format of a parse step that read it, '' where none did. */
  pattern: string;
  /** As the pipeline left it. */
  record: LogRecord;
  outcome: Outcome['kind'];
  /** What each step did that did something. The last one is the reason where the record does not go on. */
  steps: { step: string; reason: string }[];
}

/** Batches of records, file after file. `options.counts` are added up meanwhile. */
export async function* previewFiles(
  files: readonly InputFile[],
  pipeline: Pipeline | null,
  options: Omit<FileSourceOptions, 'gate'>,
): AsyncGenerator<Previewed[]> {
  const passage = new PreviewPassage(pipeline);
  for (const file of files) {
    const source = new FileSource(file, { ...options, gate: passage });
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      options.signal.throwIfAborted();
      yield passage.take();
    }
  }
}

/** Nothing goes on: everything is shown. */
class PreviewPassage implements Passage {
  private readonly pipeline: Pipeline | null;
  private readonly item = new Item();
  private seen: Previewed[] = [];
  private steps: Previewed['steps'] = [];

  constructor(pipeline: Pipeline | null) {
    this.pipeline = pipeline;
    if (pipeline !== null) pipeline.onStep = (step, { reason }) => void this.steps.push({ step, reason });
  }

  take(): Previewed[] {
    const { seen } = this;
    this.seen = [];
    return seen;
  }

  lineOptions(receiver: string, file: string, service: string): LineOptions {
    const { pipeline } = this;
    if (pipeline === null) return {};
    return { keepRaw: pipeline.needsRaw, folding: pipeline.foldingOf({ receiver, file, service }) };
  }

  passRecord<R extends RecordWithLines>(record: R, source: Source): R | null {
    const { pipeline, item } = this;
    const { format, lines } = record as unknown as ParsedRecord;
    const shown = { file: source.file, line: source.line, lines, format };
    if (pipeline === null) {
      this.seen.push({ ...shown, pattern: '', record, outcome: 'ok', steps: [] });
      return record;
    }
    this.steps = [];
    item.loadRecord(record, source, record.raw ?? null);
    const { kind } = pipeline.run(item);
    this.seen.push({ ...shown, pattern: item.format, record: item.toRecord(), outcome: kind, steps: this.steps });
    return record;
  }
}
