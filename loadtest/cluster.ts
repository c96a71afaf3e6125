/** A cluster of its own for one run: started through the command line, asked over HTTP, ended by process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogweirError } from '#protocol/mod.ts';
import type { Counts } from './counts.ts';
import { type ProcessUse, readUse } from './processes.ts';

export interface ClusterOptions {
  workers: number;
  /** Content of its configuration file, as JSON (which is YAML); default none. */
  config?: unknown;
  /** Directory for CPU profiles of every role. */
  profileDir?: string | undefined;
  signal: AbortSignal;
  note: (text: string) => void;
}

/** What the load test reads of `cluster.json`. */
interface ClusterFile {
  supervisor: { pid: number };
  urls: { clickhouse: string; api: string; gateway: string };
  processes: Record<string, { pid: number; facts: Record<string, unknown> }>;
}

const startWithinMs = 120_000;
const stopWithinMs = 60_000;
const lookEveryMs = 100;
/** Of the cluster's last words, shown when it cannot start. */
const lastLinesMax = 8;

const main = resolve(import.meta.dirname, '../cli/main.ts');

/** Starts a cluster, hands it over ready, and ends it and removes its data whatever happens in between. */
export async function withCluster<T>(options: ClusterOptions, run: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = new Cluster(options);
  // The last resort when this process ends early.
  const onExit = (): void => cluster.kill();
  process.once('exit', onExit);
  try {
    await cluster.ready();
    return await run(cluster);
  } finally {
    await cluster.stop();
    process.off('exit', onExit);
  }
}

export class Cluster {
  private readonly options: ClusterOptions;
  private readonly dir = mkdtempSync(join(tmpdir(), 'logweir-loadtest-'));
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private hasEnded = false;
  private words = '';

  constructor(options: ClusterOptions) {
    this.options = options;
    const config = join(this.dir, 'logweir.yaml');
    writeFileSync(config, JSON.stringify(options.config ?? {}));
    const ports = ['api', 'gateway', 'clickhouse', 'nats', 'redis'].flatMap((name) => [`--port-${name}`, '0']);
    const own = ['--config', config, '--data-dir', this.dataDir, '--workers', String(options.workers)];
    this.child = spawn(process.execPath, [main, 'up', ...own, ...ports], {
      cwd: this.dir,
      env: environment(process.env, options.profileDir),
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own: the terminal's Ctrl-C reaches the load test alone, which then ends the cluster in order.
      detached: true,
    });
    this.child.stderr?.setEncoding('utf8');
    this.child.stderr?.on('data', (text: string) => {
      this.words = (this.words + text).slice(-4_000);
    });
    this.ended = new Promise((done) => {
      const onEnd = (): void => {
        this.hasEnded = true;
        done();
      };
      this.child.once('close', onEnd);
      this.child.once('error', onEnd);
    });
  }

  private get dataDir(): string {
    return join(this.dir, 'data');
  }

  private get file(): ClusterFile | undefined {
    try {
      return JSON.parse(readFileSync(join(this.dataDir, 'cluster.json'), 'utf8')) as ClusterFile;
    } catch {
      return undefined;
    }
  }

  get urls(): ClusterFile['urls'] {
    const { file } = this;
    if (file === undefined) throw this.broken('The cluster under test is not running.');
    return file.urls;
  }

  /** Resolves when every role is ready and every worker has partitions. @throws LogweirError SERVER_START_FAILED */
  async ready(): Promise<void> {
    const { signal, workers, note } = this.options;
    note(`Starting a cluster with ${workers} ${workers === 1 ? 'worker' : 'workers'} …`);
    const deadline = performance.now() + startWithinMs;
    while (!(await this.isReady())) {
      signal.throwIfAborted();
      if (this.hasEnded) throw this.broken('The cluster under test could not start.');
      if (performance.now() > deadline) throw this.broken('The cluster under test was not ready in time.');
      await sleep(lookEveryMs, undefined, { signal });
    }
  }

  private async isReady(): Promise<boolean> {
    const { file } = this;
    // The gateway starts last; a role tells its facts when it is ready.
    if (file?.processes['gateway']?.facts['port'] === undefined) return false;
    try {
      const response = await fetch(`${file.urls.api}/api/v1/cluster`, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) return false;
      const { workers } = (await response.json()) as { workers: { partitions: unknown[] }[] };
      return workers.filter((worker) => worker.partitions.length > 0).length >= this.options.workers;
    } catch {
      return false;
    }
  }

  /** Where the gateway's receivers listen. */
  get gatewayPorts(): Record<string, number> {
    return (this.file?.processes['gateway']?.facts['ports'] ?? {}) as Record<string, number>;
  }

  async gatewayMetrics(): Promise<string> {
    return (await fetch(`${this.urls.gateway}/metrics`, { signal: this.options.signal })).text();
  }

  /** What every process of the cluster, and this one, has used so far. */
  use(): ProcessUse[] {
    const { file } = this;
    const pids = Object.entries(file?.processes ?? {}).map(([name, { pid }]) => [name, pid] as const);
    const all = [...pids, ['supervisor', file?.supervisor.pid ?? 0] as const, ['generator', process.pid] as const];
    return all.flatMap(([name, pid]) => readUse(name, pid) ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Rows that can be queried. */
  async storedRows(): Promise<number> {
    return Number(await this.query('SELECT count() FROM logweir.otel_logs'));
  }

  async storedByService(): Promise<Counts> {
    const text = await this.query('SELECT ServiceName, count() FROM logweir.otel_logs GROUP BY ServiceName');
    const lines = text.split('\n').filter((line) => line !== '');
    return new Map(
      lines.map((line) => {
        const [service = '', count] = line.split('\t');
        return [service, Number(count)];
      }),
    );
  }

  private async query(sql: string): Promise<string> {
    const { signal } = this.options;
    const response = await fetch(this.urls.clickhouse, { method: 'POST', body: sql, signal });
    const text = await response.text();
    if (response.ok) return text;
    throw new LogweirError('QUERY_FAILED', `ClickHouse refused a query of the load test: ${text.slice(0, 300)}`, '');
  }

  /**
   * Waits until so many rows can be queried, or none came for `patienceMs`. Resolves to their number, and to the time
   * (`performance.now()`) at which it was first seen.
   */
  async waitForRows(rows: number, patienceMs: number): Promise<{ stored: number; atMs: number }> {
    const { signal } = this.options;
    let stored = await this.storedRows();
    let atMs = performance.now();
    while (stored < rows && performance.now() - atMs < patienceMs) {
      await sleep(lookEveryMs, undefined, { signal });
      const now = await this.storedRows();
      if (now !== stored) atMs = performance.now();
      stored = now;
    }
    return { stored, atMs };
  }

  /** Ends the cluster in order, then by force, and removes its directory. */
  async stop(): Promise<void> {
    if (!this.hasEnded) {
      this.child.kill('SIGTERM');
      const timer = setTimeout(() => this.killProcesses(), stopWithinMs);
      await this.ended;
      clearTimeout(timer);
    }
    this.kill();
  }

  /** At once, without waiting. */
  kill(): void {
    if (!this.hasEnded) this.killProcesses();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  private killProcesses(): void {
    // Read before the supervisor goes: the file is the only list of what it started.
    const pids = Object.values(this.file?.processes ?? {}).map(({ pid }) => pid);
    this.child.kill('SIGKILL');
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
  }

  private broken(what: string): LogweirError {
    const last = this.words.trimEnd().split('\n').slice(-lastLinesMax).join('\n    ');
    return new LogweirError(
      'SERVER_START_FAILED',
      what,
      last === '' ? 'It said nothing.' : `Its last words:\n    ${last}`,
    );
  }
}

/** The cluster takes nothing from the caller's environment: it has its own servers and settings. */
function environment(outer: NodeJS.ProcessEnv, profileDir: string | undefined): NodeJS.ProcessEnv {
  const own = Object.entries(outer).filter(
    ([name]) => !/^(LOGWEIR_|NATS_URL|REDIS_URL|CLICKHOUSE_|NODE_OPTIONS)/.test(name),
  );
  const env = Object.fromEntries(own);
  return profileDir === undefined ? env : { ...env, NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` };
}
