/** Starts a real cluster with `logweir up` in a directory of its own, talks to it from outside, and ends it by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFailed } from 'vitest';
import { type ClusterFile, readClusterFile } from '#cli/cluster-file.ts';
import { signalKnown } from '#cli/supervisor/identity.ts';

const root = resolve(import.meta.dirname, '../..');
const main = join(root, 'cli/main.ts');
const logLinesShown = 25;
const startTimeoutMs = 240_000;
/** What must come true in the end is waited for so long: more than enough on a machine that has other things to do. */
const patienceMs = 180_000;

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface CallOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Runs as this user, for which the tests must run as root. */
  uid?: number;
}

/** Runs one command to its end. Nothing of this process's own Logweir settings reaches it. */
export function logweir(args: readonly string[], options: CallOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: tmpdir(),
    env: environment(options.env),
    stdio: 'pipe',
    ...(options.uid === undefined ? {} : { uid: options.uid }),
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  return new Promise((done) => {
    child.on('close', (status) =>
      done({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(LOGWEIR_|NATS_URL|REDIS_URL|CLICKHOUSE_URL)/.test(name),
  );
  return { ...Object.fromEntries(own), LOGWEIR_CLUSTER_RETAIN_LOGS: 'true', ...extra };
}

export class Cluster {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'logweir-cluster-'));
  private readonly workers: number;
  private readonly env: Record<string, string>;
  private child: ChildProcess | null = null;
  private readonly joined: ChildProcess[] = [];
  private told = '';

  /** `env`: settings of every role. */
  constructor(workers: number, env: Record<string, string> = {}) {
    this.workers = workers;
    this.env = env;
  }

  /** Starts on the data directory, on free ports; settles when every role is ready. */
  async start(): Promise<void> {
    const ports = ['api', 'gateway', 'clickhouse', 'nats', 'redis'].flatMap((name) => [`--port-${name}`, '0']);
    const args = ['up', '--data-dir', this.dataDir, '--workers', String(this.workers), ...ports];
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.dataDir,
      env: environment(this.env),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    this.told = '';
    child.stderr?.on('data', (data: Buffer) => {
      this.told += data.toString();
    });
    const deadline = Date.now() + startTimeoutMs;
    while (!this.told.includes('Ctrl-C stops everything')) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline)
        throw new Error(`The cluster did not start:\n${this.told}\n${this.logs()}`);
      await sleep(50);
    }
  }

  get file(): ClusterFile {
    const file = readClusterFile(this.dataDir);
    if (file === undefined) throw new Error(`No cluster runs on ${this.dataDir}:\n${this.told}`);
    return file;
  }

  /** Ends it in order, as Ctrl-C does. Resolves to the exit code. */
  async stop(): Promise<number | null> {
    const { child } = this;
    if (child === null) return null;
    this.child = null;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('close', done));
    }
    return child.exitCode;
  }

  /** Stops what runs, whatever state it is in, and removes the directory. */
  async destroy(): Promise<void> {
    for (const child of this.joined) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    const known = Object.values(readClusterFile(this.dataDir)?.processes ?? {});
    const late = setTimeout(() => {
      for (const one of known) signalKnown(one, 'SIGKILL');
      this.child?.kill('SIGKILL');
    }, 45_000);
    await this.stop();
    clearTimeout(late);
    for (const one of known) signalKnown(one, 'SIGKILL');
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** kill -9 of one process; the supervisor is to start it again. Resolves when it is another process, and ready. */
  async kill(unit: string): Promise<void> {
    const before = this.file.processes[unit];
    if (before === undefined || !signalKnown(before, 'SIGKILL')) throw new Error(`${unit} does not run`);
    await until(() => {
      const now = this.file.processes[unit];
      return now !== undefined && now.identity !== before.identity;
    }, `${unit} to run again`);
  }

  /** Stands still for a while, as a suspended machine does, and then goes on as if nothing had been. */
  async freeze(unit: string, ms: number): Promise<void> {
    const known = this.file.processes[unit];
    if (known === undefined || !signalKnown(known, 'SIGSTOP')) throw new Error(`${unit} does not run`);
    await sleep(ms);
    signalKnown(known, 'SIGCONT');
  }

  /** Starts a role in a terminal of its own, as it were; settles when it is ready. The supervisor knows nothing of it. */
  async join(role: string, id: string, env: Record<string, string> = {}): Promise<ChildProcess> {
    const child = spawn(process.execPath, [main, role, '--id', id, '--data-dir', this.dataDir], {
      cwd: this.dataDir,
      env: environment(env),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.joined.push(child);
    let told = '';
    child.stderr?.on('data', (data: Buffer) => {
      told += data.toString();
      this.told += data.toString();
    });
    await until(() => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${id} did not start:\n${told}`);
      return told.includes(`logweir ${role} is ready.`);
    }, `${id} to be ready`);
    return child;
  }

  logweir(args: readonly string[], options: CallOptions = {}): Promise<Ended> {
    return logweir([...args, '--data-dir', this.dataDir], options);
  }

  post(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.file.urls.gateway}/ingest`, {
      method: 'POST',
      body: Buffer.from(body as string),
      headers: { 'content-type': 'application/x-ndjson', ...headers },
      signal: AbortSignal.timeout(30_000),
    });
  }

  /** Posts until it is accepted, as a shipper does: the same body under the same key. */
  async deliver(body: string, key: string): Promise<{ accepted: number }> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      try {
        const response = await this.post(body, { 'idempotency-key': key });
        if (response.ok) return (await response.json()) as { accepted: number };
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
      await sleep(200);
    }
  }

  async rows<T>(sql: string): Promise<T[]> {
    const response = await fetch(this.file.urls.clickhouse, {
      method: 'POST',
      body: `${sql} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0`,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as T);
  }

  async count(table: string, where = '1'): Promise<number> {
    const [row] = await this.rows<{ n: number }>(`SELECT count() AS n FROM logweir.${table} WHERE ${where}`);
    return row?.n ?? 0;
  }

  /** Waits until so many rows can be queried, then a moment for more than there should be. */
  async settled(rows: number, where = '1'): Promise<number> {
    await until(async () => (await this.count('otel_logs', where).catch(() => 0)) >= rows, `${rows} rows (${where})`);
    await sleep(1_500);
    return this.count('otel_logs', where);
  }

  /** Ends of the role logs, for a failure's report. */
  logs(): string {
    const dir = join(this.dataDir, 'logs');
    if (!existsSync(dir)) return '';
    return readdirSync(dir)
      .filter((name) => name.endsWith('.log') && !name.startsWith('redis'))
      .map((name) => {
        const lines = readFileSync(join(dir, name), 'utf8').trimEnd().split('\n').slice(-logLinesShown);
        return `── ${name}\n${lines.map((line) => line.slice(0, 400)).join('\n')}`;
      })
      .join('\n');
  }

  /** To be called in a test: prints the role logs where it fails. */
  showLogsOnFailure(): void {
    onTestFailed(() => void process.stderr.write(`${this.told}\n${this.logs()}\n`));
  }
}

export async function until(condition: () => boolean | Promise<boolean>, what: string, everyMs = 100): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs / 1_000} s for ${what}.`);
    await sleep(everyMs);
  }
}
