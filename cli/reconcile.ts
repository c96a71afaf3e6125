/** `logweir reconcile`: stream = stored + duplicates + dead letters, per partition. */
import { decodeLogsMessage, partitionOfSubject, streams } from '#protocol/mod.ts';
import { HttpClickHouse } from '#storage/mod.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { Books, within } from './roles/books.ts';
import { readHeld, storedMarks } from './roles/recorded.ts';
import { type GenerationBegin, generationAt, rangesOf } from './roles/generations.ts';
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
  const books = new Books(new HttpClickHouse({ url: settings.urls.clickhouse }));
  const marks = await storedMarks(bus, facts.generation);
  const begins = await generationBegins(books);
  const dead = await deadLetters(books);
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
  // Without ticks and control messages, but for those that were set aside.
  const read: { partition: number; generation: number; sequence: number; rows: number | null }[] = [];
  const first = await readHeld(bus, ({ subject, sequence, data }) => {
    const partition = partitionOfSubject(subject);
    if (sequence > (marks.get(partition) ?? 0)) return;
    const rows = recordsOf(data);
    const generation = generationAt(facts.generation, begins.get(partition), sequence);
    if (rows !== 0 || dead.has(`${generation}/${partition}/${sequence}`))
      read.push({ partition, generation, sequence, rows });
  });
  for (const [partition, sequence] of first) {
    if (sequence > (marks.get(partition) ?? 0)) first.delete(partition);
    else account(partition);
  }
  const lastEarlier = new Map<number, number>();
  for (const { partition, generation, sequence, rows } of read) {
    if (sequence < (first.get(partition) ?? Number.POSITIVE_INFINITY)) continue;
    const one = account(partition);
    one.streamRows += rows ?? 0;
    const storedOfDead = dead.get(`${generation}/${partition}/${sequence}`);
    if (storedOfDead !== undefined) {
      one.deadLetters++;
      one.deadRows += (rows ?? 0) - storedOfDead;
    }
    // Between what is left of an earlier generation and the first of this one lie messages without rows, and under their
    // sequences that generation may have stored what was lost.
    if (generation !== facts.generation && rows !== 0) lastEarlier.set(partition, sequence);
    if (rows === null) {
      one.undecodable++;
      if (storedOfDead === undefined) one.unaccounted++;
    }
  }
  const stored: string[] = [];
  const ledger: string[] = [];
  for (const [partition, from] of first) {
    for (const range of rangesOf(facts.generation, begins.get(partition), from, marks.get(partition) ?? 0)) {
      if (range.generation !== facts.generation) range.to = Math.min(range.to, lastEarlier.get(partition) ?? 0);
      const of = `Generation = ${range.generation} AND Partition = ${partition}`;
      stored.push(`(${of} AND Sequence BETWEEN ${range.from} AND ${range.to})`);
      // Each row of the ledger covers a block: one that begins before the range counts whole sequences before it.
      ledger.push(`(${of} AND ToSequence >= ${range.from} AND FromSequence <= ${range.to})`);
    }
  }
  if (stored.length > 0) {
    for (const piece of await books.pieces()) {
      const sql = `SELECT Partition, count() FROM logweir.otel_logs
        WHERE ${within(piece)} AND (${stored.join(' OR ')}) GROUP BY Partition`;
      for (const [partition, rows] of numbers(await books.rows(sql))) account(partition ?? 0).storedRows += rows ?? 0;
    }
    const sql = `SELECT Partition, sum(Duplicates) FROM logweir.ledger FINAL WHERE ${ledger.join(' OR ')} GROUP BY Partition`;
    for (const [partition, rows] of numbers(await books.rows(sql))) account(partition ?? 0).duplicates += rows ?? 0;
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
    const { firstSequence } = await bus.streams.info(streams.logs);
    if (firstSequence > 1) ctx.print('Records that have left the stream, as it needs them no longer, are not counted.');
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

/** Dead letters by generation, partition and sequence, each with the rows that are stored of it all the same. */
async function deadLetters(books: Books): Promise<Map<string, number>> {
  const place = 'Generation, Partition, Sequence';
  const letters = await books.rows(`SELECT ${place} FROM logweir.dead_letters FINAL`);
  const dead = new Map(letters.map((letter) => [letter.join('/'), 0]));
  if (dead.size === 0) return dead;
  for (const piece of await books.pieces()) {
    const rows = await books.rows(
      `SELECT ${place}, count() FROM logweir.otel_logs
       WHERE ${within(piece)} AND (${place}) IN (SELECT ${place} FROM logweir.dead_letters) GROUP BY ${place}`,
    );
    for (const [generation, partition, sequence, count] of rows) {
      const key = [generation, partition, sequence].join('/');
      dead.set(key, (dead.get(key) ?? 0) + Number(count));
    }
  }
  return dead;
}

/** By partition: first sequence that storage has of each generation, the oldest first. */
async function generationBegins(books: Books): Promise<Map<number, GenerationBegin[]>> {
  const lines = await books.rows(
    'SELECT Partition, Generation, min(FromSequence) FROM logweir.ledger GROUP BY Partition, Generation ORDER BY Generation',
  );
  const begins = new Map<number, GenerationBegin[]>();
  for (const [partition = 0, generation = 0, from = 0] of numbers(lines))
    begins.set(partition, [...(begins.get(partition) ?? []), { generation, from }]);
  return begins;
}

function numbers(rows: readonly string[][]): number[][] {
  return rows.map((row) => row.map(Number));
}
