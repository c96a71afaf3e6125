/** `logweir detect FILE…`: anomalies in log files, by the partition that workers run, grouped by the service of each record. */
import { emptyCounts, readRecords } from '#ingest/mod.ts';
import { resolveInputs } from '#ingest/files/mod.ts';
import {
  type Anomaly,
  BatchBuilder,
  encodeLogsMessage,
  LogweirError,
  liveLane,
  RecordView,
  unknownService,
  viewOf,
} from '#protocol/mod.ts';
import { Partition } from '#workers/mod.ts';
import { type CommandContext, exitCodes } from './command.ts';
import { LineWriter } from './output.ts';
import { Progress } from './progress.ts';

const batchRows = 1_000;
/** Event time between two ticks, by which the silence of one service shows beside the others; and ticks in a gap. */
const tickMs = 5_000;
const ticksMax = 500;

export async function detectIncidents(ctx: CommandContext): Promise<number> {
  const named = ctx.args.positionals.length === 0 ? ['-'] : ctx.args.positionals;
  const { files, problems } = await resolveInputs(named);
  const note = ({ message, remedy }: LogweirError): void => ctx.note(`logweir: ${message} ${remedy}`);
  for (const problem of problems) note(problem);
  if (files.length === 0) {
    if (problems.length > 0) return exitCodes.failed;
    throw new LogweirError(
      'INPUT_EMPTY',
      'There is no file to read.',
      'Name files that hold logs, or - for standard input.',
    );
  }
  const known = files.every((file) => file.sizeBytes !== undefined);
  const total = known ? files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0) : undefined;
  const progress = new Progress(ctx, 'reading', total, 'bytes');
  let bytes = 0;
  const counts = emptyCounts();
  const nowMs = Date.now();
  const isFinal = ctx.args.flag('final');
  const json = ctx.args.flag('json');
  const lineOf = (anomaly: Anomaly): string => (json ? JSON.stringify(readable(anomaly)) : rowOf(anomaly));
  const out = new LineWriter(ctx);
  let found: Anomaly[] = [];
  const fold = new IncidentFold((anomaly) => void found.push(anomaly));
  const records = readRecords(files, {
    service: ctx.args.string('service'),
    nowMs,
    counts,
    signal: ctx.signal,
    onBytes: (read) => {
      bytes += read;
      progress.update(bytes);
    },
    onProblem: (problem) => {
      problems.push(problem);
      note(problem);
    },
  });
  const view = new RecordView();
  for await (const { record, timeMs } of records) {
    viewOf(record, { observedMs: timeMs, service: unknownService }, view);
    view.timeMs = record.timeMs ?? timeMs;
    fold.add(view);
    if (found.length === 0 || isFinal) continue;
    for (const anomaly of found) await out.line(lineOf(anomaly));
    found = [];
    await out.flush();
  }
  progress.end();
  const anomalies = fold.end();
  for (const anomaly of isFinal ? anomalies : found) await out.line(lineOf(anomaly));
  await out.flush();
  if (!json) {
    const many = (count: number, one: string, more: string): string =>
      `${count === 0 ? 'no' : count.toLocaleString('en-US')} ${count === 1 ? one : more}`;
    ctx.note(
      `${many(anomalies.length, 'anomaly', 'anomalies')} in ${many(counts.records, 'record', 'records')} of ${many(fold.services, 'service', 'services')}.`,
    );
  }
  if (problems.some(({ code }) => code !== 'INPUT_EMPTY')) return exitCodes.failed;
  return counts.records === 0 ? exitCodes.nothing : exitCodes.ok;
}

/** Records in order of reading to anomalies: one partition, whose stream time is the newest event time. */
export class IncidentFold {
  private readonly partition = new Partition(0);
  private readonly builder = new BatchBuilder(liveLane, 'detect');
  private readonly latest = new Map<string, Anomaly>();
  private readonly tick = encodeLogsMessage({ kind: 'tick' });
  private sequence = 0;
  /** Services that were read of; known once the fold has ended. */
  services = 0;
  private readonly onFound: (anomaly: Anomaly) => void;
  private newestMs = Number.NEGATIVE_INFINITY;
  private nextTickMs = Number.NEGATIVE_INFINITY;

  /** @param onFound is given each anomaly once, as it is when it has just been found */
  constructor(onFound: (anomaly: Anomaly) => void = () => {}) {
    this.onFound = onFound;
  }

  add(view: RecordView): void {
    const timeMs = view.timeMs;
    if (timeMs > this.newestMs) {
      this.passTo(timeMs);
      this.newestMs = timeMs;
    }
    this.builder.add(view, timeMs);
    if (this.builder.rows >= batchRows) this.flush();
  }

  /** Closes every window and gives the last version of each anomaly, in order of the time at which it was decided. */
  end(): Anomaly[] {
    this.flush();
    this.services = this.partition.services;
    this.step(encodeLogsMessage({ kind: 'end', lane: liveLane }));
    return [...this.latest.values()].sort(
      (a, b) => a.decidedAtMs - b.decidedAtMs || (a.anomalyId < b.anomalyId ? -1 : 1),
    );
  }

  private passTo(timeMs: number): void {
    if (this.nextTickMs === Number.NEGATIVE_INFINITY) this.nextTickMs = timeMs + tickMs;
    if (timeMs < this.nextTickMs) return;
    this.flush();
    // Nothing at all was logged for long: that is a gap of the recording, not the silence of a service.
    if (timeMs - this.nextTickMs <= tickMs * ticksMax)
      for (; this.nextTickMs <= timeMs; this.nextTickMs += tickMs) {
        this.newestMs = this.nextTickMs;
        this.step(this.tick);
      }
    this.nextTickMs = timeMs + tickMs;
  }

  private flush(): void {
    const batch = this.builder.take();
    if (batch !== null) this.step(encodeLogsMessage({ kind: 'batch', batch }));
  }

  private step(data: Uint8Array): void {
    const { section } = this.partition.step({ sequence: ++this.sequence, timeMs: this.newestMs, data });
    for (const anomaly of section.anomalies) {
      if (!this.latest.has(anomaly.anomalyId)) this.onFound(anomaly);
      this.latest.set(anomaly.anomalyId, anomaly);
    }
  }
}

/** An anomaly as one line of JSON: times readable, evidence whole. */
function readable(anomaly: Anomaly): Record<string, unknown> {
  const iso = (ms: number): string => new Date(ms).toISOString();
  const { anomalyId, service, detector, subject, score, actual, typical, description, influencers, samples } = anomaly;
  return {
    service,
    detector,
    start: iso(anomaly.startMs),
    end: iso(anomaly.endMs),
    decidedAt: iso(anomaly.decidedAtMs),
    score,
    actual,
    typical,
    description,
    subject,
    influencers,
    samples,
    anomalyId,
    startMs: anomaly.startMs,
    endMs: anomaly.endMs,
    decidedAtMs: anomaly.decidedAtMs,
  };
}

function rowOf({ startMs, score, service, detector, description }: Anomaly): string {
  const time = new Date(startMs).toISOString().slice(0, 19).replace('T', ' ');
  return `${time}  ${service.padEnd(16)}  ${detector.padEnd(17)}  ${score.toFixed(0).padStart(3)}  ${description}`;
}
