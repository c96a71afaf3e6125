/** The two sources of `logweir backtest`: stored logs, and files. */
import { parseAlertingConfig, rehearse } from '#alerting/mod.ts';
import { foldPast, readAnalysisConfig, readCorrections, readModels } from '#coordinator/mod.ts';
import { emptyCounts, readRecords } from '#ingest/mod.ts';
import {
  type Anomaly,
  LogweirError,
  modelVersion,
  objectBuckets,
  RecordView,
  unknownService,
  viewOf,
} from '#protocol/mod.ts';
import { type FiredAnomaly, Queries } from '#storage/mod.ts';
import { ModelShelf, RecordFold } from '#workers/mod.ts';
import { compareFired, countByDay, type Fired } from './backtest-compare.ts';
import type { BacktestResult } from './backtest-view.ts';
import type { CommandContext } from './command.ts';
import { checkSections } from './config/sections.ts';
import { openLogFiles } from './log-files.ts';
import { Progress } from './progress.ts';
import { type ClusterSetup, joinCluster } from './roles/setup.ts';
import { clusterSettings, configOf } from './settings.ts';

type Found = { anomaly: Anomaly; streamMs: number };
type Range = { fromMs: number; toMs: number };

export async function backtestStored(
  ctx: CommandContext,
  wanted: { fromMs: number | undefined; toMs: number | undefined },
  warmUpMs: number,
): Promise<BacktestResult> {
  const settings = clusterSettings(ctx, 'natsUrl');
  await checkSections(settings);
  const cluster = await joinCluster(ctx, settings);
  try {
    const queries = Queries.overUrl(settings.urls.clickhouse);
    const extent = await queries.extent();
    const fromMs = wanted.fromMs ?? extent?.oldestMs ?? 0;
    const range = { fromMs, toMs: Math.max(wanted.toMs ?? (extent?.newestMs ?? 0) + 1, fromMs + 1) };
    const filter = { range, services: ctx.args.strings('service') };
    const [anomalies, alerts] = await Promise.all([queries.firedAnomalies(filter), queries.firedAlerts(filter)]);
    const past = ctx.args.flag('alerts-only')
      ? { records: anomalies.length, findings: asFound(anomalies) }
      : await analyse(ctx, cluster, queries, { ...filter.range, warmUpMs, services: filter.services });
    const did = { anomalies, alerts: alerts.map((alert) => ({ ...alert, endMs: alert.startMs })) };
    const source = ctx.args.flag('alerts-only') ? 'findings' : 'stored';
    return resultOf(source, range, past, parseAlertingConfig(settings.config.alerting), did);
  } finally {
    await cluster.bus.close();
  }
}

async function analyse(
  ctx: CommandContext,
  { bus, facts, store, settings, time, log }: ClusterSetup,
  queries: Queries,
  wanted: Range & { warmUpMs: number; services: readonly string[] },
): Promise<{ records: number; findings: Found[] }> {
  const models = await readModels(store);
  const version = ctx.args.integer('model', { min: 0, max: 1e9 }) ?? models.serving;
  const modelHash = modelVersion(models, version)?.hash ?? '';
  const shelf = new ModelShelf({ objects: () => bus.objects(objectBuckets.models), time, log });
  await shelf.load(modelHash);
  const given = ctx.args.string('config') !== undefined;
  const analysis = (given ? null : await readAnalysisConfig(store)) ?? settings.config.analysis;
  const progress: { bar?: Progress } = {};
  const past = await foldPast(
    queries,
    {
      ...wanted,
      settings: { analysis, modelHash, models: shelf },
      corrections: await readCorrections(store),
      partitions: facts.partitions,
    },
    (done, total) => (progress.bar ??= new Progress(ctx, 'analysing', total, 'logs')).update(done),
  );
  progress.bar?.end();
  return past;
}

/** What is stored of findings, in the order in which they were decided. */
function asFound(anomalies: readonly FiredAnomaly[]): Found[] {
  return anomalies
    .map((one) => ({
      anomaly: { ...one, influencers: [], watermarkMs: one.eventMs, lateCount: 0, revised: false, version: 1 },
      streamMs: one.decidedAtMs,
    }))
    .sort((a, b) => a.streamMs - b.streamMs || (a.anomaly.anomalyId < b.anomaly.anomalyId ? -1 : 1));
}

export async function backtestFiles(ctx: CommandContext): Promise<BacktestResult> {
  const loaded = configOf(ctx);
  await checkSections(loaded);
  const { analysis, alerting } = loaded.config;
  const remedy = 'Name files that hold logs, or - for stdin.';
  const { files, onBytes, onProblem, end } = await openLogFiles(ctx, ctx.args.positionals, {
    prefix: 'logweir: ',
    remedy,
  });
  if (files.length === 0) throw new LogweirError('INPUT_EMPTY', 'There is no file to read.', remedy);
  const findings: Found[] = [];
  const fold = new RecordFold({ analysis }, (anomaly, streamMs) => void findings.push({ anomaly, streamMs }));
  const view = new RecordView();
  const counts = emptyCounts();
  const range = { fromMs: Number.POSITIVE_INFINITY, toMs: 0 };
  const records = readRecords(files, {
    service: ctx.args.string('service'),
    nowMs: Date.now(),
    counts,
    signal: ctx.signal,
    onBytes,
    onProblem,
  });
  for await (const { record, timeMs } of records) {
    viewOf(record, { observedMs: timeMs, service: unknownService }, view);
    view.timeMs = record.timeMs ?? timeMs;
    range.fromMs = Math.min(range.fromMs, view.timeMs);
    range.toMs = Math.max(range.toMs, view.timeMs + 1);
    fold.add(view);
  }
  if (counts.records > 0) fold.end();
  end();
  if (counts.records === 0) range.fromMs = 0;
  return resultOf('files', range, { records: counts.records, findings }, parseAlertingConfig(alerting), {
    anomalies: [],
    alerts: [],
  });
}

/** The judgement, whatever the source: what was found through the decisions of alerting, against what did fire. */
export function resultOf(
  source: BacktestResult['source'],
  range: Range,
  past: { records: number; findings: readonly Found[] },
  alerting: ReturnType<typeof parseAlertingConfig>,
  did: { anomalies: readonly Fired[]; alerts: readonly Fired[] },
): BacktestResult {
  const within = ({ startMs }: { startMs: number }): boolean => startMs >= range.fromMs && startMs < range.toMs;
  const last = new Map(past.findings.map(({ anomaly }) => [anomaly.anomalyId, anomaly]));
  const anomalies = [...last.values()].filter(within).map((anomaly) => firedOf(anomaly));
  const rehearsal = rehearse(past.findings, alerting);
  const alerts = rehearsal.alerts
    .filter(({ anomaly }) => within(anomaly))
    .map(({ anomaly, suppressedBy }) => ({ ...firedOf(anomaly), endMs: anomaly.startMs, suppressedBy }));
  return {
    source,
    range,
    records: past.records,
    anomalies: compareFired(anomalies, did.anomalies),
    alerts: compareFired(alerts, did.alerts, alerting.decide.resolveAfterMs),
    days: countByDay({ would: anomalies, did: did.anomalies }, { would: alerts, did: did.alerts }),
    notifications: rehearsal.notifications,
    incidents: rehearsal.incidents.filter((one) => one.services.length > 1 && within({ startMs: one.startedMs })),
  };
}

function firedOf(anomaly: Anomaly): Fired {
  const { anomalyId, service, lane, detector, subject, startMs, endMs, score, description } = anomaly;
  return { anomalyId, service, lane, detector, subject, startMs, endMs, score, description };
}
