/**
 * A cluster of processes of its own, without a supervisor: each is started, killed, frozen and started again by the
 * load test, and known by process id. What ends by itself is started again, as a supervisor or Kubernetes would, and
 * written down.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync, type WriteStream } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '#bus/host-ports.ts';
import { LogweirError } from '#protocol/mod.ts';

export const unitKinds = ['worker', 'coordinator', 'gateway', 'storage', 'alerting', 'redis', 'nats'] as const;
export type UnitKind = (typeof unitKinds)[number];

export interface FleetOptions {
  workers: number;
  coordinators: number;
  gateways: number;
  /** Configuration of every role, as JSON. */
  config: Record<string, unknown>;
  signal: AbortSignal;
  note: (text: string) => void;
}

export interface FleetUrls {
  nats: string;
  redis: string;
  clickhouse: string;
  apis: string[];
  gateways: string[];
}

interface Unit {
  name: string;
  kind: UnitKind;
  program: string;
  args: string[];
  env: Record<string, string>;
  /** Of a server without an IPC channel. */
  port: number | undefined;
  /** Whether it shall run. */
  wanted: boolean;
  frozen: boolean;
  child: ChildProcess | null;
  ready: boolean;
  log: WriteStream;
}

/** A process that ended though nobody had asked it to. */
export interface OwnEnd {
  unit: string;
  atMs: number;
  how: string;
}

const main = resolve(import.meta.dirname, '../../cli/main.ts');
const readyWithinMs = 120_000;
const stopWithinMs = 20_000;
const startAgainAfterMs = 500;
const lookEveryMs = 50;
const furtherDirs = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin'];
/** Stopped in this order, one kind after the other. */
const stopOrder: readonly UnitKind[] = ['gateway', 'worker', 'storage', 'alerting', 'coordinator', 'redis', 'nats'];

/** Starts a fleet, hands it over ready, ends every process whatever happens, and keeps its directory where asked. */
export async function withFleet<T>(
  options: FleetOptions,
  run: (fleet: Fleet) => Promise<T>,
  keep: (result: T | undefined) => boolean,
): Promise<T> {
  const fleet = await Fleet.create(options);
  const onExit = (): void => fleet.killAll();
  process.once('exit', onExit);
  let result: T | undefined;
  try {
    await fleet.startAll();
    result = await run(fleet);
    return result;
  } finally {
    await fleet.stopAll();
    process.off('exit', onExit);
    if (options.signal.aborted || !keep(result)) rmSync(fleet.dir, { recursive: true, force: true, maxRetries: 5 });
    else options.note(`Kept for a look: ${fleet.dir}`);
  }
}

export class Fleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'logweir-faults-'));
  readonly urls: FleetUrls;
  readonly ownEnds: OwnEnd[] = [];
  private readonly units = new Map<string, Unit>();
  private readonly options: FleetOptions;
  private stopping = false;

  static async create(options: FleetOptions): Promise<Fleet> {
    const ports = Array.from({ length: 3 + options.coordinators + options.gateways }, freePort);
    return new Fleet(options, await Promise.all(ports));
  }

  private constructor(options: FleetOptions, ports: readonly number[]) {
    this.options = options;
    const [nats = 0, redis = 0, clickhouse = 0, ...rest] = ports;
    const apis = rest.slice(0, options.coordinators);
    const gateways = rest.slice(options.coordinators);
    const http = (port: number): string => `http://127.0.0.1:${port}`;
    this.urls = {
      nats: `nats://127.0.0.1:${nats}`,
      redis: `redis://127.0.0.1:${redis}`,
      clickhouse: http(clickhouse),
      apis: apis.map(http),
      gateways: gateways.map(http),
    };
    for (const name of ['nats', 'redis', 'logs', 'data']) mkdirSync(join(this.dir, name));
    writeFileSync(join(this.dir, 'logweir.yaml'), JSON.stringify(options.config));
    this.addServers(nats, redis);
    this.addRole('storage', 'storage', { LOGWEIR_PORTS_CLICKHOUSE: String(clickhouse), UV_THREADPOOL_SIZE: '16' });
    for (const [n, port] of apis.entries())
      this.addRole(`coordinator-${n + 1}`, 'coordinator', { LOGWEIR_PORTS_API: String(port) });
    for (let n = 1; n <= options.workers; n++) this.addRole(`worker-${n}`, 'worker', {});
    this.addRole('alerting', 'alerting', {});
    for (const [n, port] of gateways.entries())
      this.addRole(`gateway-${n + 1}`, 'gateway', { LOGWEIR_PORTS_GATEWAY: String(port), LOGWEIR_PORTS_SYSLOG: '0' });
  }

  private addServers(nats: number, redis: number): void {
    const file = join(this.dir, 'nats.conf');
    const storeDir = JSON.stringify(this.natsDir);
    writeFileSync(
      file,
      `host: "127.0.0.1"\nport: ${nats}\nmax_payload: 8MB\njetstream { store_dir: ${storeDir}, max_memory_store: 64MB, max_file_store: 64GB }\n`,
    );
    this.add('nats-server', 'nats', 'nats-server', ['--config', file], {}, nats);
    const settings = {
      bind: '127.0.0.1',
      port: String(redis),
      dir: join(this.dir, 'redis'),
      appendonly: 'yes',
      save: '',
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    this.add('redis-server', 'redis', 'redis-server', args, {}, redis);
  }

  private addRole(name: string, kind: UnitKind, own: Record<string, string>): void {
    const args = [main, kind, '--id', name, '--data-dir', join(this.dir, 'data')];
    const env = { NATS_URL: this.urls.nats, REDIS_URL: this.urls.redis, LOGWEIR_PORTS_METRICS: '0', ...own };
    // Storage without a URL is the embedded engine; all others reach it by URL.
    const reach = kind === 'storage' ? env : { ...env, CLICKHOUSE_URL: this.urls.clickhouse };
    this.add(name, kind, process.execPath, [...args, '--config', join(this.dir, 'logweir.yaml')], reach, undefined);
  }

  private add(
    name: string,
    kind: UnitKind,
    program: string,
    args: string[],
    env: Record<string, string>,
    port: number | undefined,
  ): void {
    const log = createWriteStream(join(this.dir, 'logs', `${name}.log`), { flags: 'a' });
    const state = { wanted: false, frozen: false, child: null, ready: false };
    this.units.set(name, { name, kind, program, args, env, port, log, ...state });
  }

  /** Where nats-server keeps its streams. */
  get natsDir(): string {
    return join(this.dir, 'nats');
  }

  /** Where nats-server keeps one stream. */
  streamDir(stream: string): string {
    return join(this.natsDir, 'jetstream', '$G', 'streams', stream);
  }

  names(kind?: UnitKind): string[] {
    return [...this.units.values()].filter((unit) => kind === undefined || unit.kind === kind).map(({ name }) => name);
  }

  /** Environment for commands of the command line that ask this cluster. */
  get clientEnv(): NodeJS.ProcessEnv {
    return cleanEnv({ NATS_URL: this.urls.nats, REDIS_URL: this.urls.redis, CLICKHOUSE_URL: this.urls.clickhouse });
  }

  pid(name: string): number | undefined {
    return this.unit(name).child?.pid;
  }

  isReady(name: string): boolean {
    return this.unit(name).ready;
  }

  private unit(name: string): Unit {
    const unit = this.units.get(name);
    if (unit === undefined) throw new Error(`no unit ${name}`);
    return unit;
  }

  /** Servers first, gateways last. @throws LogweirError SERVER_START_FAILED */
  async startAll(): Promise<void> {
    const { workers, coordinators, gateways, note } = this.options;
    note(
      `Starting ${workers} workers, ${coordinators} coordinators, ${gateways} gateways, storage, alerting and servers …`,
    );
    for (const kinds of [['nats', 'redis'], ['storage'], ['coordinator', 'worker', 'alerting'], ['gateway']] as const) {
      const names = kinds.flatMap((kind) => this.names(kind));
      for (const name of names) this.start(name);
      await Promise.all(names.map((name) => this.whenReady(name)));
    }
  }

  /** Starts a unit that is down; it is started again whenever it ends by itself. */
  start(name: string): void {
    const unit = this.unit(name);
    unit.wanted = true;
    if (unit.child === null && !this.stopping) this.spawn(unit);
  }

  async whenReady(name: string, withinMs = readyWithinMs): Promise<void> {
    const unit = this.unit(name);
    const deadline = performance.now() + withinMs;
    while (!unit.ready) {
      this.options.signal.throwIfAborted();
      if (performance.now() > deadline)
        throw new LogweirError(
          'SERVER_START_FAILED',
          `${name} of the cluster under test was not ready within ${withinMs / 1_000} s.`,
          `Its log is ${join(this.dir, 'logs', `${name}.log`)}.`,
        );
      await sleep(lookEveryMs, undefined, { signal: this.options.signal });
    }
  }

  private spawn(unit: Unit): void {
    const byIpc = unit.port === undefined;
    // A group of its own: the terminal's Ctrl-C reaches the load test alone. Roles end when its channel closes.
    const child = spawn(findProgram(unit.program), unit.args, {
      cwd: this.dir,
      env: cleanEnv(unit.env),
      stdio: byIpc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    unit.child = child;
    unit.ready = false;
    unit.frozen = false;
    unit.log.write(`── ${new Date().toISOString()} started, process ${child.pid}\n`);
    child.stdout?.pipe(unit.log, { end: false });
    child.stderr?.pipe(unit.log, { end: false });
    child.on('message', (message) => {
      if ((message as { ready?: boolean }).ready === true) unit.ready = true;
    });
    let over = false;
    const onEnd = (how: string): void => {
      if (over) return;
      over = true;
      unit.child = null;
      unit.ready = false;
      unit.log.write(`── ${new Date().toISOString()} ${how}\n`);
      if (!unit.wanted || this.stopping) return;
      this.ownEnds.push({ unit: unit.name, atMs: Date.now(), how });
      setTimeout(() => {
        if (unit.wanted && unit.child === null && !this.stopping) this.spawn(unit);
      }, startAgainAfterMs);
    };
    child.once('error', (error) => onEnd(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => onEnd(signal === null ? `ended with code ${code}` : `was ended by ${signal}`));
    if (unit.port !== undefined) void this.probe(unit, child, unit.port);
  }

  private async probe(unit: Unit, child: ChildProcess, port: number): Promise<void> {
    while (unit.child === child && !unit.ready) {
      const answers = await answersOn(port, unit.kind === 'redis' ? 'PING\r\n' : '');
      if (unit.child === child && answers) unit.ready = true;
      else await sleep(lookEveryMs);
    }
  }

  /** kill -9; the unit stays away until it is started. Resolves when it has ended. */
  async kill(name: string): Promise<void> {
    await this.end(name, 'SIGKILL');
  }

  /** SIGTERM, as an orderly stop. */
  async terminate(name: string): Promise<void> {
    await this.end(name, 'SIGTERM');
  }

  private async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const unit = this.unit(name);
    unit.wanted = false;
    const { child } = unit;
    if (child === null) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    this.thaw(name);
    child.kill(signal);
    await ended;
  }

  /** Stands still, sockets open, as a suspended machine or a long pause of a process does. */
  freeze(name: string): void {
    const unit = this.unit(name);
    if (unit.child?.kill('SIGSTOP') === true) unit.frozen = true;
  }

  thaw(name: string): void {
    const unit = this.unit(name);
    if (unit.frozen) unit.child?.kill('SIGCONT');
    unit.frozen = false;
  }

  /** In order, then by force. */
  async stopAll(): Promise<void> {
    this.stopping = true;
    for (const name of this.units.keys()) this.thaw(name);
    for (const kind of stopOrder) {
      const late = setTimeout(() => {
        for (const name of this.names(kind)) this.unit(name).child?.kill('SIGKILL');
      }, stopWithinMs);
      await Promise.all(this.names(kind).map((name) => this.terminate(name)));
      clearTimeout(late);
    }
    for (const unit of this.units.values()) unit.log.end();
  }

  /** At once, without waiting: the last resort when this process ends early. */
  killAll(): void {
    this.stopping = true;
    for (const unit of this.units.values()) unit.child?.kill('SIGKILL');
  }
}

/** Nothing of this process's own Logweir settings reaches the cluster under test. */
function cleanEnv(own: Record<string, string>): NodeJS.ProcessEnv {
  const outer = Object.entries(process.env).filter(
    ([name]) => !/^(LOGWEIR_|NATS_URL|REDIS_URL|CLICKHOUSE_|NODE_OPTIONS|NODE_CHANNEL)/.test(name),
  );
  return { ...Object.fromEntries(outer), ...own };
}

/** Children have a bare PATH of this process, which may leave out where package managers put servers. */
export function findProgram(name: string): string {
  if (name.includes('/')) return name;
  process.env['PATH'] = [...new Set([...(process.env['PATH'] ?? '').split(delimiter), ...furtherDirs])].join(delimiter);
  return name;
}

/** Whether a server says something: NATS at once, Redis when asked. */
function answersOn(port: number, line: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const end = (yes: boolean): void => {
      socket.destroy();
      done(yes);
    };
    socket.once('connect', () => line !== '' && socket.write(line));
    socket.once('data', (data) => end(line === '' ? data.includes('"jetstream":true') : data.includes('+PONG')));
    for (const event of ['error', 'timeout', 'close'] as const) socket.once(event, () => end(false));
  });
}
