/** `logweir reconcile`: stream = stored + duplicates + dead letters, per partition. */
import { decodeLogsMessage, LogweirError, partitionOfSubject } from '#protocol/mod.ts';
import { HttpClickHouse } from '#storage/mod.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { recordedLogs, storedMarks } from './roles/recorded.ts';
import { type ClusterSetup, joinCluster } from './roles/setup.ts';
import { clientOptions, clusterSettings } from './settings.ts';

export const command: Command = {
  about: `Counts the records on the LOGS stream and what storage has of them: stored, dropped as duplicates, set aside as dead
letters. Covers what the stream still holds and storage has taken; exits 3 where the sums differ.`,
  options: { ...clientOptions, json: jsonOption },
  async run(ctx) {
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      return await reconcile(ctx, cluster);
    } finally {
      await cluster.bus.close();
    }
  },
};

interface Account {
  partition: number;
  /** Records and undecodable messages on the stream. */
  streamRows: number;
  undecodable: number;
  storedRows: number;
  duplicates: number;
  deadLetters: number;
}

async function reconcile(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const { bus, facts, settings } = cluster;
  const clickHouse = new HttpClickHouse({ url: settings.urls.clickhouse });
  const marks = await storedMarks(bus, facts.generation);
  const accounts = new Map<number, Account>();
  const account = (partition: number): Account => {
    const known = accounts.get(partition) ?? {
      partition,
      streamRows: 0,
      undecodable: 0,
      storedRows: 0,
      duplicates: 0,
      deadLetters: 0,
    };
    accounts.set(partition, known);
    return known;
  };
  const first = new Map<number, number>();
  for await (const message of recordedLogs(bus, { fromStart: false })) {
    const partition = partitionOfSubject(message.subject);
    if (message.sequence > (marks.get(partition) ?? 0)) continue;
    if (!first.has(partition)) first.set(partition, message.sequence);
    try {
      const decoded = decodeLogsMessage(message.data);
      if (decoded.kind === 'batch') account(partition).streamRows += decoded.batch.rows;
    } catch (error) {
      if (!(error instanceof LogweirError)) throw error;
      account(partition).undecodable++;
    }
  }
  for (const [partition, from] of first) {
    const range = `Generation = ${facts.generation} AND Partition = ${partition}`;
    const bound = `Sequence BETWEEN ${from} AND ${marks.get(partition) ?? 0}`;
    const one = account(partition);
    one.storedRows = await count(clickHouse, `SELECT count() FROM logweir.otel_logs WHERE ${range} AND ${bound}`);
    // Ledger rows cover (from, to]: one that begins before the stream's first message counts whole sequences before it.
    const ledger = `FROM logweir.ledger FINAL WHERE ${range} AND ToSequence >= ${from} AND FromSequence <= ${marks.get(partition) ?? 0}`;
    one.duplicates = await count(clickHouse, `SELECT sum(Duplicates) ${ledger}`);
    one.deadLetters = await count(
      clickHouse,
      `SELECT count() FROM logweir.dead_letters FINAL WHERE ${range} AND ${bound}`,
    );
  }
  const list = [...accounts.values()].sort((a, b) => a.partition - b.partition);
  const sum = (name: keyof Account): number => list.reduce((total, one) => total + one[name], 0);
  // A message that was set aside after it decoded (its analysis failed) takes its rows with it.
  const balanced = (one: Account): boolean =>
    one.streamRows === one.storedRows + one.duplicates && one.undecodable === one.deadLetters;
  const wrong = list.filter((one) => !balanced(one));
  const totals = {
    streamRows: sum('streamRows'),
    storedRows: sum('storedRows'),
    duplicates: sum('duplicates'),
    undecodable: sum('undecodable'),
    deadLetters: sum('deadLetters'),
  };
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ balanced: wrong.length === 0, totals, partitions: list }));
  else {
    ctx.print(
      `${totals.streamRows} records on the stream = ${totals.storedRows} stored + ${totals.duplicates} duplicates; ${totals.deadLetters} messages set aside.`,
    );
    for (const one of wrong)
      ctx.print(
        `  partition ${one.partition} differs: ${one.streamRows} on the stream, ${one.storedRows} stored, ${one.duplicates} duplicates, ${one.deadLetters} of ${one.undecodable} dead letters`,
      );
    ctx.print(
      wrong.length === 0
        ? `All ${list.length} partitions balance.`
        : `${wrong.length} of ${list.length} partitions do not balance.`,
    );
  }
  return wrong.length === 0 ? exitCodes.ok : exitCodes.nothing;
}

async function count(clickHouse: HttpClickHouse, sql: string): Promise<number> {
  return Number(Buffer.from(await clickHouse.query(sql, { format: 'TabSeparated' })).toString());
}
