import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTempEngine, type TempEngine } from '../testing/temp.ts';
import { type ClickHouseServer, serveClickHouse } from './server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let temp: TempEngine;
let server: ClickHouseServer;
let client: ClickHouseClient;
const run = promisify(execFile);

/** As `curl` would ask: the whole query in the URL. */
const get = (query: string, search: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}/?${new URLSearchParams({ query, ...search }).toString()}`);
const post = (
  body: string | Uint8Array<ArrayBuffer>,
  search: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${server.url}/?${new URLSearchParams(search).toString()}`, { method: 'POST', body, headers });

beforeAll(async () => {
  temp = await openTempEngine();
  server = await serveClickHouse({
    engine: temp.engine,
    port: 0,
    limits: { executionSeconds: 4, executionSecondsMax: 5 },
  });
  client = createClient({ url: server.url, database: 'logweir', log: { level: ClickHouseLogLevel.OFF } });
});
afterAll(async () => {
  await client.close();
  await server.close();
  await temp.end();
});

describe('@clickhouse/client', () => {
  it('pings, selects, binds parameters of every kind', async () => {
    expect(await client.ping()).toMatchObject({ success: true });
    const query =
      'SELECT {s:String} AS s, {a:Array(String)} AS a, {n:Nullable(UInt8)} AS n, {m:Map(String,UInt8)} AS m';
    const result = await client.query({
      query,
      query_params: {
        s: "it's a \\ \t and\nline",
        a: ["q'uo", 'back\\slash', 'tab\there', '"double"'],
        n: null,
        m: { k: 1 },
      },
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([
      { s: "it's a \\ \t and\nline", a: ["q'uo", 'back\\slash', 'tab\there', '"double"'], n: null, m: { k: 1 } },
    ]);
  });

  it('refuses to write, and says so', async () => {
    await expect(
      client.insert({ table: 'otel_logs', values: [{ Body: 'x' }], format: 'JSONEachRow' }),
    ).rejects.toMatchObject({ code: '164', type: 'READONLY' });
    await expect(client.command({ query: 'DROP TABLE otel_logs' })).rejects.toMatchObject({ code: '164' });
  });

  it('streams rows, compressed or not', async () => {
    for (const response of [true, false]) {
      const streaming = createClient({ url: server.url, compression: { response } });
      const rows = await streaming.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSONEachRow' });
      let count = 0;
      for await (const batch of rows.stream()) count += batch.length;
      expect(count).toBe(200_000);
      await streaming.close();
    }
  });

  it('reports a failure in the middle of a stream as a failure', async () => {
    const rows = await client.query({
      query: 'SELECT throwIf(number = 1000000) AS x, number FROM numbers(10000000)',
      format: 'JSONEachRow',
    });
    const read = async (): Promise<void> => {
      for await (const _ of rows.stream()) void _;
    };
    await expect(read()).rejects.toMatchObject({ code: '395' });
  });

  it('names code and type of an error', async () => {
    await expect(client.query({ query: 'SELECT 1 +' })).rejects.toMatchObject({ code: '62', type: 'SYNTAX_ERROR' });
    await expect(client.query({ query: 'SELECT * FROM nowhere' })).rejects.toMatchObject({
      code: '60',
      type: 'UNKNOWN_TABLE',
    });
  });
});

describe('over plain HTTP', () => {
  it('answers curl', async () => {
    const { stdout } = await run('curl', [
      '-sS',
      server.url,
      '--data-binary',
      'SELECT 1 AS a, 2 AS b FORMAT CSVWithNames',
    ]);
    expect(stdout).toBe('"a","b"\n1,2\n');
    expect((await run('curl', ['-sS', `${server.url}/ping`])).stdout).toBe('Ok.\n');
    expect((await run('curl', ['-sS', `${server.url}/replicas_status`])).stdout).toBe('Ok.\n');
  });

  it('takes query and body together, the default format and the database', async () => {
    expect(await (await post(' 42', { query: 'SELECT' })).text()).toBe('42\n');
    expect(await (await get('SELECT 1 AS a', { default_format: 'JSONEachRow' })).text()).toBe('{"a":1}\n');
    expect(await (await get('SELECT currentDatabase()')).text()).toBe('logweir\n');
    expect(await (await get('SELECT currentDatabase()', { database: 'system' })).text()).toBe('system\n');
    expect((await get('SELECT 1', { session_id: 'x', user: 'anyone' })).status).toBe(200);
  });

  it('sends the headers that clients read', async () => {
    const response = await get('SELECT 1 FORMAT JSON', { query_id: 'mine' });
    expect(response.headers.get('x-clickhouse-query-id')).toBe('mine');
    expect(response.headers.get('x-clickhouse-format')).toBe('JSON');
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    expect(JSON.parse(response.headers.get('x-clickhouse-summary') as string)).toMatchObject({ read_rows: '1' });
    expect((await response.json()) as object).toMatchObject({ rows: 1 });
  });

  it('keeps one header over many chunks, and has one over no rows', async () => {
    const lines = (
      await (await get('SELECT number AS n, toString(number) FROM numbers(200000) FORMAT CSVWithNames')).text()
    ).split('\n');
    expect(lines.filter((line) => line.startsWith('"n"')).length).toBe(1);
    expect(lines.length).toBe(200_002);
    expect(await (await get('SELECT 1 AS n WHERE 0 FORMAT TabSeparatedWithNamesAndTypes')).text()).toBe('n\nUInt8\n');
    const binary = Buffer.from(
      await (await get('SELECT number FROM numbers(200000) FORMAT RowBinaryWithNamesAndTypes')).arrayBuffer(),
    );
    expect(binary.length).toBe(200_000 * 8 + 1 + 7 + 7);
    expect(await (await get('SELECT number FROM numbers(200000) FORMAT JSON')).json()).toMatchObject({ rows: 200_000 });
  });

  it('compresses both ways', async () => {
    const packed = gzipSync('SELECT 7');
    expect(await (await post(new Uint8Array(packed), {}, { 'content-encoding': 'gzip' })).text()).toBe('7\n');
    const { stdout } = await run(
      'curl',
      ['-sS', '-H', 'Accept-Encoding: gzip', `${server.url}/?enable_http_compression=1`, '--data-binary', 'SELECT 7'],
      { encoding: 'buffer' },
    );
    expect(gunzipSync(stdout).toString()).toBe('7\n');
    expect((await post('x', {}, { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  it('breaks a compressed stream off where it fails, so that nobody takes it for whole', async () => {
    const failing = `${server.url}/?enable_http_compression=1&query=${encodeURIComponent('SELECT throwIf(number = 1000000) FROM numbers(2000000)')}`;
    for (const encoding of ['gzip', 'zstd', 'identity']) {
      await expect(
        run('curl', ['-sS', '-o', '/dev/null', '-H', `Accept-Encoding: ${encoding}`, failing]),
      ).rejects.toThrow(/transfer closed|end of|close/i);
    }
  });

  it('applies settings, from the URL and from the statement, up to the limits', async () => {
    const asked = "SELECT getSetting('max_threads'), getSetting('max_execution_time')";
    expect(await (await get(asked, { max_threads: '1', max_execution_time: '9999' })).text()).toBe('1\t5\n');
    expect(await (await get(`${asked} SETTINGS max_threads = 2, max_execution_time = 1 FORMAT CSV`)).text()).toBe(
      '2,1\n',
    );
    const tooMany = await get('SELECT number FROM numbers(10) SETTINGS max_result_rows = 3');
    expect([tooMany.status, tooMany.headers.get('x-clickhouse-exception-code')]).toEqual([413, '396']);
    expect((await get('SELECT 1', { no_such_setting: '1' })).headers.get('x-clickhouse-exception-code')).toBe('115');
    const slow = await get(
      'SELECT count() FROM numbers(1e11) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 1',
    );
    expect([slow.status, slow.headers.get('x-clickhouse-exception-code')]).toEqual([408, '159']);
  });

  it('is read-only, whatever is tried', async () => {
    const out = join(temp.directory, 'out.tsv');
    const secret = join(temp.directory, 'secret');
    writeFileSync(secret, 'hidden');
    const tries = [
      'INSERT INTO otel_logs (Body) VALUES (1)',
      'INSERT INTO otel_logs (Body) SELECT 1',
      'CREATE TABLE t (a Int8) ENGINE = Memory',
      'CREATE TEMPORARY TABLE t (a Int8)',
      'ALTER TABLE otel_logs DELETE WHERE 1',
      'SYSTEM FLUSH LOGS',
      `SELECT * FROM file('${secret}', 'LineAsString')`,
      `SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')`,
      `SELECT * FROM s3('http://127.0.0.1:1/b/x', 'LineAsString')`,
      `SELECT * FROM remote('127.0.0.1:1', system.one)`,
      `SELECT * FROM executable('cat', 'TSV', 'a Int8')`,
      `SELECT * FROM filesystem('/etc')`,
      `SELECT file('${secret}')`,
      `SELECT \`file\`('${secret}')`,
      `SELECT "file"('${secret}')`,
      `SELECT \`\\x66ile\`('${secret}')`,
      `SELECT * APPLY(file) FROM values('a String', '${secret}')`,
      `SELECT arrayMap(file, ['${secret}'])`,
      // Strings that only ClickHouse knows as such, to hide a call from who reads the text otherwise.
      `SELECT \u2018'\u2019, file('${secret}'), \u2018'\u2019`,
      `SELECT $ ' $ ' $ ' $, file('${secret}'), 'b'`,
      `SELECT $a$ ' $a$, file('${secret}'), $a$ ' $a$`,
      `SELECT '\\', file('${secret}'), '\\''`,
      `SELECT '''', file('${secret}'), ''''`,
      `SELECT 1 -- '\n, file('${secret}') -- '`,
      `SELECT 1 # '\n, file('${secret}') # '`,
      `SELECT 1 /* ' */, file('${secret}') /* ' */`,
      `SELECT * FROM (SELECT 1 INTO OUTFILE '${out}')`,
      `SELECT 1 /* x */ INTO /* y */ OUTFILE '${out}'`,
      `SELECT '--' INTO OUTFILE '${out}'`,
      `INSERT INTO FUNCTION file('${out}', 'TSV', 'a Int8') SELECT 1`,
      'SELECT 1; DROP TABLE otel_logs',
      'SELECT 1 SETTINGS readonly = 0; DROP TABLE otel_logs',
      "EXPLAIN SELECT 1 INTO OUTFILE 'x'",
    ];
    for (const query of tries) {
      const response = await post(query);
      const text = await response.text();
      expect([query, response.ok, text.includes('hidden')]).toEqual([query, false, false]);
      expect(text).toMatch(/^Code: \d+\. DB::Exception: /);
    }
    expect((await get('SELECT 1', { dialect: 'prql' })).status).toBe(403);
    expect((await get('SELECT 1', { format_template_row: secret })).status).toBe(403);
    expect(existsSync(out)).toBe(false);
    // Nothing that only looks like it is refused.
    const harmless = "SELECT 'file(x); INTO OUTFILE' AS file, '--' -- INSERT; DROP\n, $$;DROP$$ /* ; */;";
    expect(await (await post(harmless)).text()).toBe('file(x); INTO OUTFILE\t--\t;DROP\n');
    expect(await (await post('SET max_threads = 1')).text()).toBe('');
    expect((await post('SHOW TABLES')).status).toBe(200);
    expect((await post('WITH 1 AS x SELECT x UNION ALL SELECT 2')).status).toBe(200);
    expect((await post('(SELECT 1)')).status).toBe(200);
    expect((await post('EXPLAIN SELECT 1')).status).toBe(200);
    expect((await post('DESCRIBE TABLE otel_logs FORMAT JSONEachRow')).status).toBe(200);
  });

  it('refuses what it does not know, in words', async () => {
    expect((await post('')).status).toBe(400);
    expect((await post("SELECT 'open")).status).toBe(400);
    expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
    expect((await get('SELECT 1', { compress: '1' })).status).toBe(501);
    expect(await (await fetch(server.url)).text()).toBe('Ok.\n');
    const { stdout } = await run('curl', ['-sS', '-H', 'Host: evil.example', server.url, '--data-binary', 'SELECT 1']);
    expect(stdout).toContain('loopback');
  });
});

describe('limits and writing', () => {
  it('queues a bounded number of queries and answers the rest with 503', async () => {
    const small = await serveClickHouse({
      engine: temp.engine,
      port: 0,
      concurrentMax: 1,
      waitingMax: 1,
      waitMs: 5_000,
    });
    const ask = async (): Promise<number> => {
      const response = await fetch(`${small.url}/?query=${encodeURIComponent('SELECT sleep(0.3)')}`);
      await response.text();
      return response.status;
    };
    const answers = await Promise.all([1, 2, 3].map(ask));
    expect(answers.sort((a, b) => a - b)).toEqual([200, 200, 503]);
    await small.close();
  });

  it('asks for the password where one is set', async () => {
    const guarded = await serveClickHouse({ engine: temp.engine, port: 0, password: 'secret' });
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${guarded.url}/?query=SELECT+1`, { headers });
    const status = async (headers: Record<string, string>): Promise<number> => {
      const response = await ask(headers);
      await response.text();
      return response.status;
    };
    expect(await status({})).toBe(401);
    expect(await status({ 'x-clickhouse-key': 'secret' })).toBe(200);
    expect(await status({ authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` })).toBe(200);
    await guarded.close();
  });

  it('writes where writing is configured, data with empty lines included', async () => {
    const writable = await serveClickHouse({ engine: temp.engine, port: 0, writable: true, database: 'default' });
    const writer = createClient({ url: writable.url, log: { level: ClickHouseLogLevel.OFF } });
    await writer.command({
      query: 'CREATE TABLE t (a UInt32, s String, d DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY a',
    });
    const bodies = ['one', 'a\n\n; DROP TABLE t;\n\n', "q'uote"];
    await writer.insert({
      table: 't',
      columns: ['a', 's'],
      values: bodies.map((s, a) => ({ a, s })),
      format: 'JSONEachRow',
    });
    await writer.command({ query: "INSERT INTO t (a, s) VALUES (3, 'x\n\n; DROP TABLE t'), (4, 'y')" });
    await writer.command({ query: "INSERT INTO t (a, s) SELECT 5, 'z'" });
    await writer.exec({ query: 'INSERT INTO t (a, s) FORMAT CSV\n6,"c\n\nd"\n' });
    const rows = await writer.query({ query: 'SELECT a, s FROM t ORDER BY a', format: 'JSONEachRow' });
    expect(await rows.json()).toEqual([
      ...bodies.map((s, a) => ({ a, s })),
      { a: 3, s: 'x\n\n; DROP TABLE t' },
      { a: 4, s: 'y' },
      { a: 5, s: 'z' },
      { a: 6, s: 'c\n\nd' },
    ]);
    await expect(writer.query({ query: "SELECT file('/etc/passwd')" })).rejects.toMatchObject({ code: '164' });
    await writer.close();
    await writable.close();
  });
});
