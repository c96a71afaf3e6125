/** `logweir verify`: what is stored equals a one-process fold of the recorded stream, bit for bit. */
import { isDeepStrictEqual } from 'node:util';
import { LogweirError, objectBuckets, partitionOfSubject } from '#protocol/mod.ts';
import { HttpClickHouse } from '#storage/mod.ts';
import { emptyFold, type FoldResult, ModelShelf, PartitionFold } from '#workers/mod.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { Progress } from './progress.ts';
import { recordedLogs, type StoredMarks, storedMarks } from './roles/recorded.ts';
import { type ClusterSetup, joinCluster } from './roles/setup.ts';
import { storedAnomalies, storedRows, storedTemplates, storedWindows } from './roles/stored-findings.ts';
import { clientOptions, clusterSettings } from './settings.ts';

const differencesShown = 10;

export const command: Command = {
  about: `Folds the recorded LOGS stream in this one process and compares what comes out with what the cluster stored: every final
window, template and anomaly, and the template, category and severity of every row, bit for bit. Needs
cluster.retainLogs: true and a LOGS stream that was never lost, and may run beside live traffic.`,
  options: { ...clientOptions, json: jsonOption },
  async run(ctx) {
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      return await verify(ctx, cluster);
    } finally {
      await cluster.bus.close();
    }
  },
};

interface Compared {
  what: string;
  folded: number;
  stored: number;
  different: number;
  examples: string[];
}

async function verify(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const { bus, facts, settings } = cluster;
  if (facts.generation !== facts.firstGeneration)
    throw new LogweirError(
      'CLUSTER_MISMATCH',
      `The LOGS stream was made anew or lost its tail since it began: what the analysis had learned before is not in it, so nobody can fold it again.`,
      'Check the counts instead, with "logweir reconcile".',
    );
  const clickHouse = new HttpClickHouse({ url: settings.urls.clickhouse });
  // Storage goes on while we look. What it had at `before` must be there; up to `after` it may be.
  const before = await storedMarks(bus, facts.generation);
  const windows = await storedWindows(clickHouse);
  const templates = await storedTemplates(clickHouse);
  const anomalies = await storedAnomalies(clickHouse);
  const rows = await storedRows(clickHouse, facts.generation, before);
  const after = await storedMarks(bus, facts.generation);
  const { must, may } = await fold(ctx, cluster, before, after);
  const compared = [
    compare('windows', must.windows, may.windows, windows),
    compare('templates', must.templates, may.templates, templates),
    compare('anomalies', must.anomalies, may.anomalies, anomalies),
    compare('rows by template, category and severity', must.rows, new Map(), rows),
  ];
  const different = compared.reduce((sum, one) => sum + one.different, 0);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ equal: different === 0, totals: must.totals, compared }));
  else {
    const { messages, rows: folded, duplicates, deadLetters } = must.totals;
    ctx.print(`Folded ${messages} messages: ${folded} rows, ${duplicates} duplicates, ${deadLetters} dead letters.`);
    for (const one of compared) {
      ctx.print(
        `${one.different === 0 ? 'equal    ' : 'DIFFERENT'} ${one.what}: ${one.folded} folded, ${one.stored} stored, ${one.different} differ`,
      );
      for (const example of one.examples) ctx.print(`  ${example}`);
    }
  }
  return different === 0 ? exitCodes.ok : exitCodes.nothing;
}

/** Folds up to `before`, then on to `after`: what changed in between is what storage may already show. */
async function fold(
  ctx: CommandContext,
  cluster: ClusterSetup,
  before: StoredMarks,
  after: StoredMarks,
): Promise<{ must: FoldResult; may: FoldResult }> {
  const must = emptyFold();
  const may = emptyFold();
  const folds = new Map<number, PartitionFold>();
  const { bus, time, log } = cluster;
  const models = new ModelShelf({ objects: () => bus.objects(objectBuckets.models), time, log, patienceMs: 2_000 });
  const progress = new Progress(ctx, 'folding', undefined, 'messages');
  for await (const message of recordedLogs(cluster.bus, { fromStart: true })) {
    const partition = partitionOfSubject(message.subject);
    const known = message.sequence <= (before.get(partition) ?? 0);
    if (!known && message.sequence > (after.get(partition) ?? 0)) continue;
    let one = folds.get(partition);
    if (one === undefined) {
      one = new PartitionFold(partition, { models });
      folds.set(partition, one);
    }
    await models.need(message.data);
    one.take(message, known ? must : may);
    progress.update(must.totals.messages);
  }
  progress.end();
  return { must, may };
}

function compare<T>(
  what: string,
  must: ReadonlyMap<string, T>,
  may: ReadonlyMap<string, T>,
  stored: ReadonlyMap<string, T>,
): Compared {
  const examples: string[] = [];
  let different = 0;
  const differs = (text: string): void => {
    different++;
    if (examples.length < differencesShown) examples.push(text);
  };
  for (const [key, row] of must) {
    const found = stored.get(key);
    if (isDeepStrictEqual(found, row) || (may.has(key) && found !== undefined)) continue;
    differs(found === undefined ? `${key}: not stored` : `${key}: ${difference(row, found)}`);
  }
  for (const key of stored.keys())
    if (!must.has(key) && !may.has(key)) differs(`${key}: stored, but not in the stream`);
  return { what, folded: must.size, stored: stored.size, different, examples };
}

function difference(folded: unknown, stored: unknown): string {
  if (typeof folded !== 'object' || folded === null) return `folded ${String(folded)}, stored ${String(stored)}`;
  const fields = Object.entries(folded).filter(
    ([name, value]) => !isDeepStrictEqual(value, (stored as Record<string, unknown>)[name]),
  );
  return fields
    .map(
      ([name, value]) =>
        `${name} folded ${JSON.stringify(value)}, stored ${JSON.stringify((stored as Record<string, unknown>)[name])}`,
    )
    .join('; ')
    .slice(0, 400);
}
