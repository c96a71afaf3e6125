/** Test ground: a real nats-server with JetStream in a directory of its own, which can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../host-ports.ts';

/** Null where none is installed. */
export const natsServerPath: string | null =
  ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
    .map((directory) => join(directory, 'nats-server'))
    .find((path) => existsSync(path)) ?? null;

export class TempNats {
  readonly port: number;
  private readonly directory = mkdtempSync(join(tmpdir(), 'logweir-nats-'));
  private child: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<TempNats> {
    const server = new TempNats(await freePort());
    server.run();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it (again), on what it had stored; clients wait for it by themselves. */
  run(): void {
    this.child = spawn(
      natsServerPath as string,
      ['-js', '-sd', this.directory, '-a', '127.0.0.1', '-p', String(this.port)],
      { stdio: 'ignore' },
    );
  }

  /** kill -9; settles when it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
