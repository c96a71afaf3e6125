/** Starts that cannot work: one clear sentence, what to do about it, the right exit code, and nothing left behind. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallOptions, type Ended, logweir } from './start.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'logweir-refused-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** An `up` on free ports that is expected to end by itself. */
async function up(args: readonly string[], options: CallOptions = {}, dataDir = join(dir, 'data')): Promise<Ended> {
  const free = ['api', 'gateway', 'clickhouse', 'nats', 'redis']
    .map((name) => `--port-${name}`)
    .filter((option) => !args.includes(option))
    .flatMap((option) => [option, '0']);
  const ended = await logweir(['up', '--data-dir', dataDir, ...free, ...args], options);
  expect(ended.stdout).toBe('');
  expect(ended.stderr).not.toMatch(/\bat .*:\d+:\d+|bug in Logweir/);
  expect(existsSync(join(dir, 'data/cluster.json'))).toBe(false);
  expect(existsSync(join(dir, 'data/lock'))).toBe(false);
  return ended;
}

/** The error's sentence and remedy, without what was said on the way. */
function errorOf({ stderr }: Ended): string {
  return stderr.slice(stderr.indexOf('logweir: ')).trim();
}

describe('a start that cannot work', () => {
  it('names the port that another program has', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => other.once('listening', done));
    const { port } = other.address() as AddressInfo;
    try {
      const ended = await up(['--port-gateway', String(port)]);
      expect(errorOf(ended)).toMatch(new RegExp(`^logweir: .*\\b${port}\\b.*\\n  \\S.*--port-gateway`));
      expect(ended.status).toBe(1);
    } finally {
      other.close();
    }
  });

  it('names file, line and key of a wrong configuration, and what was probably meant', async () => {
    const config = join(dir, 'logweir.yaml');
    writeFileSync(config, 'cluster:\n  workers: 2\n  wrokers: 3\n');
    const ended = await up(['--config', config]);
    expect(errorOf(ended)).toMatch(/^logweir: .*logweir\.yaml.*3.*wrokers/);
    expect(errorOf(ended)).toContain('workers');
    expect(ended.status).toBe(2);
  });

  it('names a wrong value of the analysis, which only its own part knows', async () => {
    const config = join(dir, 'logweir.yaml');
    writeFileSync(config, 'analysis:\n  windows:\n    sizeMs: soon\n');
    const ended = await up(['--config', config]);
    expect(errorOf(ended)).toMatch(/^logweir: .*3.*sizeMs/);
    expect(ended.status).toBe(2);
  });

  it('names a server that is not installed', async () => {
    const ended = await up([], { env: { PATH: dir } });
    expect(errorOf(ended)).toMatch(/^logweir: .*(nats-server|redis-server).*\n  \S/);
    expect(ended.status).toBe(1);
  });

  it('names a data directory that cannot be', async () => {
    writeFileSync(join(dir, 'file'), '');
    const ended = await up([], {}, join(dir, 'file/below'));
    expect(errorOf(ended)).toMatch(/^logweir: .*file\/below.*\n  \S.*--data-dir/);
    expect(ended.status).toBe(1);
  });

  it('names a data directory without rights', async () => {
    chmodSync(dir, 0o555);
    const ended = await up([], process.getuid?.() === 0 ? { uid: 65_534 } : {});
    expect(errorOf(ended)).toMatch(/^logweir: .*data.*EACCES.*\n  \S.*--data-dir/);
    expect(ended.status).toBe(1);
    chmodSync(dir, 0o755);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('a command without a cluster', () => {
  it.each([[['ingest', 'some.log']], [['sql', 'SELECT 1']], [['status']], [['verify']], [['reconcile']]])(
    '%j says that none runs and how to start one',
    async (args) => {
      const ended = await logweir([...args, '--data-dir', dir]);
      expect(errorOf(ended)).toMatch(/^logweir: No cluster runs on .*\n  .*logweir up/);
      expect({ status: ended.status, stdout: ended.stdout }).toEqual({ status: 1, stdout: '' });
    },
  );
});
