/** One cluster with three workers, from outside: what goes in comes out, whatever it looks like and whoever dies. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ndjson, traffic, writeMixedFiles } from './data.ts';
import { Cluster, logweir } from './start.ts';

const cluster = new Cluster(3);
const files = mkdtempSync(join(tmpdir(), 'logweir-input-'));

beforeAll(() => cluster.start());
beforeEach(() => cluster.showLogsOnFailure());
afterAll(async () => {
  await cluster.destroy();
  rmSync(files, { recursive: true, force: true });
});

interface Ingested {
  lane: string;
  lines: number;
  records: number;
  folded: number;
  blank: number;
  rejected: number;
  unparsed: number;
  stored: number;
  byFormat: Record<string, number>;
}

interface Verdict {
  equal: boolean;
  totals: { rows: number; duplicates: number; deadLetters: number };
  compared: { what: string; folded: number; examples: string[] }[];
}

/** The oracle agrees with what is stored, and the books balance. */
async function expectProof(): Promise<Verdict> {
  const verified = await cluster.logweir(['verify', '--json']);
  const verdict = JSON.parse(verified.stdout) as Verdict;
  expect(verdict.compared.flatMap((one) => one.examples)).toEqual([]);
  expect({ status: verified.status, equal: verdict.equal }).toEqual({ status: 0, equal: true });
  const reconciled = await cluster.logweir(['reconcile', '--json']);
  expect({ status: reconciled.status, ...JSON.parse(reconciled.stdout) }).toMatchObject({ status: 0, balanced: true });
  return verdict;
}

const live = (seed: number, seconds: number): string =>
  ndjson(traffic({ seed, fromMs: Date.now() - seconds * 1_000, seconds, ratePerSecond: 20 }));
const linesOf = (body: string): number => body.split('\n').length - 1;

describe('files', () => {
  it('takes many formats, packed and not, and accounts for every line', async () => {
    const written = writeMixedFiles(files, Date.now());
    expect(written.lines).toBeGreaterThan(20_000);
    const { status, stdout, stderr } = await cluster.logweir(['ingest', '--json', files]);
    const result = JSON.parse(stdout) as Ingested;
    const { lines, folded, blank, rejected } = written;
    expect(result).toMatchObject({ lines, folded, blank, rejected, records: lines - folded - blank - rejected });
    expect(result.stored).toBe(result.records);
    expect(result.unparsed).toBe(1);
    expect(Object.keys(result.byFormat).length).toBeGreaterThanOrEqual(5);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/empty\.log is empty\./)]);
    expect(status).toBe(0);

    const lane = `Lane = '${result.lane}'`;
    expect(await cluster.count('otel_logs', lane)).toBe(result.records);
    // The last windows close with the end of the input, which may be a block later than the last row.
    const windows = () =>
      cluster.rows(`SELECT sum(LogCount) AS logs, sum(LateCount) AS late FROM logweir.windows WHERE ${lane}`);
    await expect.poll(windows).toEqual([{ logs: result.records, late: 0 }]);
    expect(await cluster.count('otel_logs', `${lane} AND Timestamp < now() - INTERVAL 6 DAY`)).toBeGreaterThan(1_000);
    expect(await cluster.count('otel_logs', `${lane} AND Body LIKE '%Caused by: java.io.IOException%12 more'`)).toBe(
      folded / 5,
    );
  });

  it('takes standard input, with a service of its own', async () => {
    const { status, stdout } = await cluster.logweir(['ingest', '--json', '--service', 'piped', '-'], {
      input: gzipSync('one\ntwo\nthree\n'),
    });
    const { lane, records } = JSON.parse(stdout) as Ingested;
    expect({ status, records }).toEqual({ status: 0, records: 3 });
    expect(await cluster.count('otel_logs', `Lane = '${lane}' AND ServiceName = 'piped'`)).toBe(3);
  });

  it('says which file and directory it may not read, and takes the others', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'logweir-rights-'));
    try {
      const locked = join(dir, 'locked');
      mkdirSync(locked);
      writeFileSync(join(dir, 'secret.log'), 'not for you\n', { mode: 0 });
      writeFileSync(join(dir, 'open.log'), 'for everybody\n');
      chmodSync(locked, 0);
      chmodSync(dir, 0o755);
      // Root may read everything, so that another user is needed to see rights at work.
      const { nats, clickhouse } = cluster.file.urls;
      const { status, stdout, stderr } = await logweir(
        ['ingest', '--json', join(dir, 'open.log'), join(dir, 'secret.log'), locked, join(dir, 'gone.log')],
        {
          env: { NATS_URL: nats, CLICKHOUSE_URL: clickhouse },
          ...(process.getuid?.() === 0 ? { uid: 65_534 } : {}),
        },
      );
      const told = stderr.trim().split('\n');
      for (const name of ['secret.log', 'locked', 'gone.log'])
        expect(told.filter((line) => line.includes(join(dir, name)))).toHaveLength(1);
      expect({ status, result: JSON.parse(stdout) }).toMatchObject({
        status: 1,
        result: { records: 1, stored: 1, problems: [{}, {}, {}] },
      });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('lets no second cluster on its data directory', async () => {
    const { status, stderr } = await cluster.logweir(['up']);
    expect(status).toBe(1);
    expect(stderr).toContain(`is used by the Logweir cluster of process ${cluster.file.supervisor.pid}.`);
    expect(stderr).toContain('--data-dir');
  });
});

describe('POST /ingest', () => {
  it('names a broken line and keeps the others, and drops the repeat of a request', async () => {
    const lines = live(21, 60).trimEnd().split('\n');
    const middle = Math.floor(lines.length / 2);
    const body = [...lines.slice(0, middle), '{"message": broken', ...lines.slice(middle)].join('\n');
    const before = await cluster.count('otel_logs', "Lane = 'live'");
    const first = await cluster.post(body, { 'idempotency-key': 'request-1' });
    const answer = (await first.json()) as { accepted: number; rejected: number; errors: { line: number }[] };
    expect(first.status).toBe(200);
    expect(answer).toMatchObject({ accepted: lines.length, rejected: 1, errors: [{ line: middle + 1 }] });
    const again = await cluster.post(body, { 'idempotency-key': 'request-1' });
    expect(await again.json()).toEqual(answer);
    expect((await cluster.settled(before + lines.length, "Lane = 'live'")) - before).toBe(lines.length);
  });

  it('takes times from 1970 and 2099, no time, no service, and text that is not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from(
        [
          { timestamp: '1970-01-01T00:00:00.000Z', service: 'strange', message: 'the first second' },
          { timestamp: '2099-12-31T23:59:59.000Z', service: 'strange', message: 'far ahead' },
          { service: 'strange', message: 'no time' },
          { message: 'nobody said where from' },
        ]
          .map((one) => `${JSON.stringify(one)}\n`)
          .join(''),
      ),
      Buffer.from('{"service":"strange","message":"caf\xe9 \xff"}\n', 'latin1'),
    ]);
    const response = await cluster.post(body);
    expect(await response.json()).toEqual({ accepted: 5, rejected: 0, errors: [] });
    await cluster.settled(4, "ServiceName = 'strange' AND Lane = 'live'");
    const rows = await cluster.rows<{ year: number; body: string }>(
      "SELECT toYear(Timestamp) AS year, Body AS body FROM logweir.otel_logs WHERE ServiceName = 'strange' ORDER BY Timestamp, body",
    );
    const year = new Date().getUTCFullYear();
    expect(rows).toEqual([
      { year: 1970, body: 'the first second' },
      { year, body: 'caf\ufffd \ufffd' },
      { year, body: 'no time' },
      { year: 2099, body: 'far ahead' },
    ]);
    expect(await cluster.count('otel_logs', "ServiceName = 'unknown_service' AND Body LIKE 'nobody said%'")).toBe(1);
  });

  it('answers what it cannot take with a problem that says what to do', async () => {
    const wrong = await cluster.post('not json', { 'content-type': 'application/json' });
    expect({ status: wrong.status, body: await wrong.json() }).toMatchObject({
      status: 400,
      body: { accepted: 0, rejected: 1, errors: [{ line: 1 }] },
    });
    const packed = await cluster.post('x', { 'content-encoding': 'br2' });
    expect(packed.headers.get('content-type')).toContain('application/problem+json');
    expect({ status: packed.status, body: await packed.json() }).toMatchObject({
      status: 415,
      body: { code: 'ENCODING_UNSUPPORTED', remedy: expect.stringMatching(/\w/) as string },
    });
  });

  it('takes a hundred thousand services without growing with them', async () => {
    const rss = async (): Promise<number> => {
      const { stdout } = await cluster.logweir(['status', '--json']);
      const { processes } = JSON.parse(stdout) as { processes: { role: string; rssBytes: number }[] };
      return processes.filter(({ role }) => role === 'worker').reduce((sum, one) => sum + one.rssBytes, 0);
    };
    const services = 100_000;
    const chunk = 20_000;
    for (let from = 0; from < services; from += chunk) {
      const body = Array.from(
        { length: chunk },
        (_, i) => `{"service":"tenant-${from + i}","message":"hello from tenant ${from + i}"}\n`,
      ).join('');
      expect(await cluster.deliver(body, `tenants-${from}`)).toMatchObject({ accepted: chunk });
    }
    expect(await cluster.settled(services, "ServiceName LIKE 'tenant-%'")).toBe(services);
    const [found] = await cluster.rows<{ n: number }>(
      "SELECT uniqExact(ServiceName) AS n FROM logweir.otel_logs WHERE ServiceName LIKE 'tenant-%'",
    );
    expect(found).toEqual({ n: services });
    expect(await cluster.count('templates', "ServiceName = '__overflow__'")).toBeGreaterThan(0);
    expect(await rss()).toBeLessThan(3 * 1024 ** 3);
  });
});

async function statusOf(): Promise<{ status: number | null; partitions: number; workers: number }> {
  const { status, stdout } = await cluster.logweir(['status', '--json']);
  const { partitions, processes } = JSON.parse(stdout) as { partitions: number; processes: { role: string }[] };
  return { status, partitions, workers: processes.filter(({ role }) => role === 'worker').length };
}

describe('what is stored', () => {
  it('answers @clickhouse/client, and only reads', async () => {
    const client = createClient({ url: cluster.file.urls.clickhouse, log: { level: ClickHouseLogLevel.OFF } });
    try {
      const result = await client.query({
        query: 'SELECT {names:Array(String)} AS names, count() > 0 AS any FROM logweir.otel_logs',
        query_params: { names: ["it's", 'a "quote"', '\\'] },
        format: 'JSONEachRow',
      });
      expect(await result.json()).toEqual([{ names: ["it's", 'a "quote"', '\\'], any: 1 }]);
      await expect(client.command({ query: 'DROP TABLE logweir.otel_logs' })).rejects.toMatchObject({
        code: expect.stringMatching(/^\d+$/) as string,
      });
    } finally {
      await client.close();
    }
  });

  it('answers sql, report, export and status', async () => {
    const sql = await cluster.logweir([
      'sql',
      '--json',
      '--param',
      's=piped',
      'SELECT count() AS n FROM otel_logs WHERE ServiceName = {s:String}',
    ]);
    expect(JSON.parse(sql.stdout)).toEqual({ n: 3 });
    const report = JSON.parse((await cluster.logweir(['report', '--json'])).stdout) as Record<string, unknown>;
    expect(report['totalLogs']).toBe(await cluster.count('otel_logs'));
    const exported = await cluster.logweir(['export', '--table', 'logs', '--service', 'piped']);
    expect(exported.stdout.trimEnd().split('\n')).toHaveLength(4);
    // What was sent last may have held somebody up for a moment.
    await expect.poll(statusOf).toEqual({ status: 0, partitions: 64, workers: 3 });
  });

  it('equals a one-process fold of the stream, bit for bit', async () => {
    const { totals, compared } = await expectProof();
    expect(totals).toMatchObject({ rows: await cluster.count('otel_logs'), deadLetters: 0 });
    expect(totals.duplicates).toBeGreaterThan(0);
    const folded = Object.fromEntries(compared.map((one) => [one.what, one.folded]));
    expect(folded['windows']).toBeGreaterThan(200);
    expect(folded['templates']).toBeGreaterThan(50);
    expect(folded['anomalies']).toBeGreaterThan(0);
  });
});

describe('stop and start, and kill -9', () => {
  /** Posts one request after another while something happens; resolves to the records that were accepted. */
  async function whilePosting(name: string, happens: () => Promise<void>): Promise<number> {
    const state = { over: false };
    const happening = happens().finally(() => {
      state.over = true;
    });
    const posting = (async () => {
      let accepted = 0;
      for (let i = 0; !state.over || i < 5; i++) {
        const body = live(1_000 + i, 3);
        const answer = await cluster.deliver(body, `${name}-${i}`);
        expect(answer.accepted).toBe(linesOf(body));
        accepted += answer.accepted;
      }
      return accepted;
    })();
    await happening;
    return posting;
  }

  it('loses and doubles nothing when it is stopped in the middle and started again', async () => {
    const before = await cluster.count('otel_logs');
    const accepted = await whilePosting('restart', async () => {
      expect(await cluster.stop()).toBe(0);
      await cluster.start();
    });
    expect((await cluster.settled(before + accepted)) - before).toBe(accepted);
  });

  it('loses and doubles nothing when processes are killed, or stand still until others have their work', async () => {
    const before = await cluster.count('otel_logs');
    const accepted = await whilePosting('kill', async () => {
      for (const unit of ['worker-1', 'storage', 'gateway', 'nats-server']) await cluster.kill(unit);
      await cluster.freeze('worker-2', 5_000);
    });
    expect((await cluster.settled(before + accepted)) - before).toBe(accepted);
    const { totals } = await expectProof();
    expect(totals.rows).toBe(await cluster.count('otel_logs'));
  });
});
