/**
 * One ingest of files at rest: reads, merges by event time, publishes in a lane of its own, and ends it with an
 * end-of-input message, so that a backfill beside live traffic disturbs neither.
 */
import { sleep, type Time } from '#bus/mod.ts';
import { encodeLogsMessage, type LogweirError, RecordView, unknownService, viewOf } from '#protocol/mod.ts';
import { type BatchPublisher, Ticket } from './batch-publisher.ts';
import { emptyCounts, type FileCounts, type FileRecord, FileSource, type FileSourceOptions } from './file-source.ts';
import type { InputFile } from './files/mod.ts';
import { mergeByTime } from './merge.ts';
import type { Gate } from './pipeline/gate.ts';

export interface JobOptions {
  files: readonly InputFile[];
  publisher: BatchPublisher;
  lane: string;
  /** Service of every record, whatever the lines say. */
  service: string | undefined;
  time: Time;
  signal: AbortSignal;
  onBytes: (bytes: number) => void;
  onProblem: (error: LogweirError) => void;
  /** What records pass on their way, default nothing. */
  gate?: Gate | undefined;
}

/** Inputs open at once; more are taken in groups, by modification time. */
const openFilesMax = 200;

/** How long a job that fails or is aborted tries to end its lane, ms. Partitions end a lane that went silent by themselves. */
const endMsMax = 5_000;

/** Settles when the stream has everything. @throws LogweirError when it does not take it; the lane is ended all the same. */
export async function runJob(options: JobOptions): Promise<FileCounts> {
  const { publisher, lane, time } = options;
  const end = (): Promise<void> => publisher.broadcast(encodeLogsMessage({ kind: 'end', lane }));
  let counts: FileCounts;
  try {
    counts = await publishFiles(options);
  } catch (error) {
    await Promise.race([end().catch(() => {}), sleep(time, endMsMax)]);
    throw error;
  }
  await end();
  return counts;
}

async function publishFiles(options: JobOptions): Promise<FileCounts> {
  const { publisher, time, signal } = options;
  const counts = emptyCounts();
  const ticket = new Ticket();
  const view = new RecordView();
  const nowMs = time.now();
  for await (const { record, timeMs } of readRecords(options.files, { ...options, nowMs, counts })) {
    signal.throwIfAborted();
    while (publisher.full && !signal.aborted) await sleep(time, 5);
    const observedMs = time.now();
    viewOf(record, { observedMs, service: unknownService }, view);
    view.timeMs = record.timeMs ?? timeMs;
    publisher.add(view, ticket, observedMs);
    if (ticket.failure !== null) throw ticket.failure;
  }
  publisher.flush();
  await ticket.done();
  const { pipelineDropped = 0, pipelineDead = 0 } = options.gate?.counters() ?? {};
  counts.dropped = pipelineDropped;
  counts.dead = pipelineDead;
  return counts;
}

/** Records of files at rest, merged by event time: each file in its own order, the older files first where many are given. */
export async function* readRecords(
  files: readonly InputFile[],
  options: FileSourceOptions,
): AsyncGenerator<FileRecord> {
  const sorted = [...files].sort((a, b) => (a.modifiedMs ?? options.nowMs) - (b.modifiedMs ?? options.nowMs));
  for (let from = 0; from < sorted.length; from += openFilesMax) {
    const sources = sorted.slice(from, from + openFilesMax).map((file) => new FileSource(file, options));
    yield* mergeByTime(sources, (item) => item.timeMs);
  }
}
