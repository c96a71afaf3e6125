/** `logweir reconcile`: stream = stored + duplicates + dead letters, per partition. */
import { decodeLogsMessage, partitionOfSubject } from '#protocol/mod.ts';
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
  /** Records on the stream. */
  streamRows: number;
  storedRows: number;
  duplicates: number;
  /** Records of messages that were set aside, as far as they are not stored. */
  deadRows: number;
  /** Messages that cannot be decoded, and how many of those are not among the dead letters. */
  undecodable: number;
  unaccounted: number;
  /** Messages that were set aside. */
  deadLetters: number;
}

async function reconcile(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const { bus, facts, settings } = cluster;
  const clickHouse = new HttpClickHouse({ url: settings.urls.clickhouse });
  const marks = await storedMarks(bus, facts.generation);
  const dead = await deadLetters(clickHouse, facts.generation);
  const accounts = new Map<number, Account>();
  const account = (partition: number): Account => {
    const known = accounts.get(partition) ?? {
      partition,
      streamRows: 0,
      storedRows: 0,
      duplicates: 0,
      deadRows: 0,
      undecodable: 0,
      unaccounted: 0,
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
    const one = account(partition);
    const rows = recordsOf(message.data);
    one.streamRows += rows ?? 0;
    const storedOfDead = dead.get(partition)?.get(message.sequence);
    if (storedOfDead !== undefined) {
      one.deadLetters++;
      one.deadRows += (rows ?? 0) - storedOfDead;
    }
    if (rows === null) {
      one.undecodable++;
      if (storedOfDead === undefined) one.unaccounted++;
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
  }
  const list = [...accounts.values()].sort((a, b) => a.partition - b.partition);
  const sum = (name: keyof Account): number => list.reduce((total, one) => total + one[name], 0);
  const balanced = (one: Account): boolean =>
    one.streamRows === one.storedRows + one.duplicates + one.deadRows && one.unaccounted === 0;
  const wrong = list.filter((one) => !balanced(one));
  const totals = {
    streamRows: sum('streamRows'),
    storedRows: sum('storedRows'),
    duplicates: sum('duplicates'),
    deadRows: sum('deadRows'),
    undecodable: sum('undecodable'),
    deadLetters: sum('deadLetters'),
  };
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ balanced: wrong.length === 0, totals, partitions: list }));
  else {
    ctx.print(
      `${totals.streamRows} records on the stream = ${totals.storedRows} stored + ${totals.duplicates} duplicates + ${totals.deadRows} set aside, in ${totals.deadLetters} dead letters.`,
    );
    for (const one of wrong)
      ctx.print(
        `  partition ${one.partition} differs: ${one.streamRows} on the stream, ${one.storedRows} stored, ${one.duplicates} duplicates, ${one.deadRows} set aside; ${one.unaccounted} messages that cannot be read are no dead letters`,
      );
    ctx.print(
      wrong.length === 0
        ? `All ${list.length} partitions balance.`
        : `${wrong.length} of ${list.length} partitions do not balance.`,
    );
  }
  return wrong.length === 0 ? exitCodes.ok : exitCodes.nothing;
}

/** Null for a message that cannot be decoded, for whatever reason: a worker sets it aside. */
function recordsOf(data: Uint8Array): number | null {
  try {
    const decoded = decodeLogsMessage(data);
    return decoded.kind === 'batch' ? decoded.batch.rows : 0;
  } catch {
    return null;
  }
}

/** Dead letters by partition and sequence, each with the rows that are stored of it all the same. */
async function deadLetters(clickHouse: HttpClickHouse, generation: number): Promise<Map<number, Map<number, number>>> {
  const bytes = await clickHouse.query(
    `SELECT Partition, Sequence, countIf(stored) FROM
       (SELECT Partition, Sequence, false AS stored FROM logweir.dead_letters FINAL WHERE Generation = ${generation}
        UNION ALL SELECT Partition, Sequence, true FROM logweir.otel_logs WHERE Generation = ${generation} AND
          (Partition, Sequence) IN (SELECT Partition, Sequence FROM logweir.dead_letters WHERE Generation = ${generation}))
     GROUP BY Partition, Sequence`,
    { format: 'TabSeparated' },
  );
  const found = new Map<number, Map<number, number>>();
  const lines = Buffer.from(bytes).toString().split('\n');
  for (const line of lines.filter((text) => text !== '')) {
    const [partition = 0, sequence = 0, stored = 0] = line.split('\t').map(Number);
    const known = found.get(partition) ?? new Map<number, number>();
    found.set(partition, known.set(sequence, stored));
  }
  return found;
}

async function count(clickHouse: HttpClickHouse, sql: string): Promise<number> {
  return Number(Buffer.from(await clickHouse.query(sql, { format: 'TabSeparated' })).toString());
}
