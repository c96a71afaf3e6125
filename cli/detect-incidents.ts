/** `logweir detect FILE…`: anomalies in log files, by the partition that workers run, grouped by the service of each record. */
import { emptyCounts, readRecords } from '#ingest/mod.ts';
import { type Anomaly, RecordView, unknownService, viewOf } from '#protocol/mod.ts';
import { RecordFold } from '#workers/mod.ts';
import { type CommandContext, exitCodes } from './command.ts';
import { openLogFiles } from './log-files.ts';
import { LineWriter } from './output.ts';

export async function detectIncidents(ctx: CommandContext): Promise<number> {
  const named = ctx.args.positionals.length === 0 ? ['-'] : ctx.args.positionals;
  const remedy = 'Name files that hold logs, or - for standard input.';
  const { files, problems, onBytes, onProblem, end } = await openLogFiles(ctx, named, { prefix: 'logweir: ', remedy });
  if (files.length === 0) return exitCodes.failed;
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
    onBytes,
    onProblem,
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
  end();
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

/** Anomalies by id as they come, each told once, and all of them at the end. */
export class IncidentFold {
  private readonly fold: RecordFold;
  private readonly latest = new Map<string, Anomaly>();

  /** @param onFound is given each anomaly once, as it is when it has just been found */
  constructor(onFound: (anomaly: Anomaly) => void = () => {}) {
    this.fold = new RecordFold({}, (anomaly) => {
      if (!this.latest.has(anomaly.anomalyId)) onFound(anomaly);
      this.latest.set(anomaly.anomalyId, anomaly);
    });
  }

  /** Services that were read of; known once the fold has ended. */
  get services(): number {
    return this.fold.services;
  }

  add(view: RecordView): void {
    this.fold.add(view);
  }

  /** Closes every window and gives the last version of each anomaly, in order of the time at which it was decided. */
  end(): Anomaly[] {
    this.fold.end();
    return [...this.latest.values()].sort(
      (a, b) => a.decidedAtMs - b.decidedAtMs || (a.anomalyId < b.anomalyId ? -1 : 1),
    );
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
    traceIds: anomaly.traceIds ?? [],
    hosts: anomaly.hosts ?? [],
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
