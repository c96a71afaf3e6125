/** Carries out what `machine.ts` decides: processes, timers, logs, `cluster.json`. Ends only what it started, by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogweirError } from '#protocol/errors.ts';
import { type ClusterFile, removeClusterFile, writeClusterFile } from '../cluster-file.ts';
import type { ReadyMessage } from '../role.ts';
import { identityOf } from './identity.ts';
import { initialState, step, type SupervisorEffect, type SupervisorEvent, type SupervisorState } from './machine.ts';
import type { ClusterUrls, ProcessPlan } from './plan.ts';
import { RotatingLog } from './rotating-log.ts';

export interface SupervisorOptions {
  plans: readonly ProcessPlan[];
  dataDir: string;
  urls: ClusterUrls;
  configFile: string | undefined;
  /** Where this supervisor takes requests; see `control.ts`. */
  control: string;
  /** Environment of the children, beside what their plans add. */
  env: Readonly<Record<string, string | undefined>>;
  clock: () => number;
  /** One line for people about one unit. */
  say: (unit: ProcessPlan, text: string) => void;
}

const tickMs = 100;
const probeEveryMs = 50;

interface Child {
  process: ChildProcess;
  ended: boolean;
}

export class Supervisor {
  /** Resolves when everything has ended, in order or not. */
  readonly ended: Promise<void>;
  private readonly options: SupervisorOptions;
  private readonly plans = new Map<string, ProcessPlan>();
  private readonly logs = new Map<string, RotatingLog>();
  private readonly children = new Map<string, Child>();
  private readonly file: ClusterFile;
  private readonly running: Promise<void>;
  private state: SupervisorState;
  private timer: NodeJS.Timeout | undefined;
  private onRunning: () => void = () => {};
  private onEnded: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.options = options;
    for (const plan of options.plans) this.know(plan);
    this.state = initialState(options.plans);
    this.running = new Promise((resolve) => (this.onRunning = resolve));
    this.ended = new Promise((resolve) => (this.onEnded = resolve));
    this.file = {
      version: 1,
      supervisor: { pid: process.pid, identity: identityOf(process.pid) },
      startedMs: options.clock(),
      urls: options.urls,
      configFile: options.configFile,
      control: options.control,
      processes: {},
    };
  }

  /**
   * Resolves when every unit is ready, or when all have ended because `stop` was called before that.
   * @throws LogweirError SERVER_START_FAILED after everything that was started has ended
   */
  async start(): Promise<void> {
    for (const file of this.options.plans.flatMap((plan) => plan.files)) {
      mkdirSync(dirname(file.path), { recursive: true });
      writeFileSync(file.path, file.content);
    }
    process.on('exit', this.killAll);
    this.timer = setInterval(() => this.send({ type: 'tick' }), tickMs);
    this.send({ type: 'begin' });
    await Promise.race([this.running, this.ended]);
    if (this.state.failure === undefined) return;
    await this.ended;
    throw this.startFailure(this.state.failure);
  }

  /** Ends the units in order; `ended` tells when it is done. */
  stop(): void {
    this.send({ type: 'stop' });
  }

  /** Kills every unit. */
  force(): void {
    this.send({ type: 'force' });
  }

  /** Units of this run by name, those that are about to end included. */
  get units(): SupervisorState['units'] {
    return this.state.units;
  }

  /** Starts one more unit of a running cluster. */
  add(plan: ProcessPlan): void {
    if (this.plans.has(plan.name)) throw new Error(`unit ${plan.name} is there already`);
    this.know(plan);
    this.send({ type: 'add', unit: plan.name });
  }

  /** Ends one unit of a running cluster in order, and forgets it. */
  retire(name: string): void {
    this.send({ type: 'retire', unit: name });
  }

  private know(plan: ProcessPlan): void {
    this.plans.set(plan.name, plan);
    if (!this.logs.has(plan.name))
      this.logs.set(plan.name, new RotatingLog(join(this.options.dataDir, 'logs', `${plan.name}.log`)));
  }

  private send(event: SupervisorEvent): void {
    const { state, effects } = step([...this.plans.values()], this.state, event, this.options.clock());
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
  }

  private carryOut(effect: SupervisorEffect): void {
    switch (effect.type) {
      case 'spawn':
        return this.spawn(this.plan(effect.unit));
      case 'terminate':
        return this.signal(effect.unit, 'SIGTERM');
      case 'kill':
        return this.signal(effect.unit, 'SIGKILL');
      case 'say':
        return this.options.say(this.plan(effect.unit), effect.text);
      case 'retired':
        this.options.say(this.plan(effect.unit), 'ended');
        this.plans.delete(effect.unit);
        this.children.delete(effect.unit);
        return undefined;
      case 'running':
        return this.onRunning();
      case 'ended':
        clearInterval(this.timer);
        process.off('exit', this.killAll);
        removeClusterFile(this.options.dataDir);
        return this.onEnded();
    }
  }

  private plan(name: string): ProcessPlan {
    const plan = this.plans.get(name);
    if (plan === undefined) throw new Error(`no unit ${name}`);
    return plan;
  }

  private spawn(plan: ProcessPlan): void {
    const byIpc = plan.probe === undefined;
    // A group of its own: the terminal's Ctrl-C reaches the supervisor alone, which then ends the units in order.
    const spawned = spawn(plan.program, plan.args, {
      env: { ...this.options.env, ...plan.env },
      stdio: byIpc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const child: Child = { process: spawned, ended: false };
    this.children.set(plan.name, child);
    const log = this.logs.get(plan.name);
    spawned.stdout?.on('data', (chunk: Buffer) => log?.write(chunk));
    spawned.stderr?.on('data', (chunk: Buffer) => log?.write(chunk));
    const onEnd = (how: string): void => {
      if (child.ended) return;
      child.ended = true;
      delete this.file.processes[plan.name];
      this.save();
      this.send({ type: 'exited', unit: plan.name, how });
    };
    spawned.once('error', (error) => onEnd(`could not be started (${error.message})`));
    // `close` and not `exit`: by then the unit's last words are in its log.
    spawned.once('close', (code, signal) =>
      onEnd(signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
    );
    if (spawned.pid === undefined) return;
    this.file.processes[plan.name] = { pid: spawned.pid, identity: identityOf(spawned.pid), facts: {} };
    this.save();
    const onReady = (facts: ReadyMessage['facts']): void => {
      const known = this.file.processes[plan.name];
      if (known !== undefined) known.facts = facts;
      this.save();
      this.send({ type: 'ready', unit: plan.name });
    };
    if (plan.probe !== undefined)
      void poll(
        plan.probe,
        () => child.ended,
        () => onReady({}),
      );
    spawned.on('message', (message) => {
      if ((message as Partial<ReadyMessage>).ready === true) onReady((message as ReadyMessage).facts);
    });
  }

  private signal(name: string, signal: NodeJS.Signals): void {
    const child = this.children.get(name);
    if (child !== undefined && !child.ended) child.process.kill(signal);
  }

  /** The last resort when this process ends early: no child outlives it. */
  private readonly killAll = (): void => {
    for (const name of this.children.keys()) this.signal(name, 'SIGKILL');
  };

  private save(): void {
    if (this.state.phase !== 'ended') writeClusterFile(this.options.dataDir, this.file);
  }

  /** Takes the unit's own last words where it printed an error as every command does. */
  private startFailure(failure: { unit: string; reason: string }): LogweirError {
    const log = this.logs.get(failure.unit);
    const lines = log?.tail(6) ?? [];
    const said = lines.findLastIndex((line) => line.startsWith('logweir: '));
    const why = said >= 0 ? (lines[said] ?? '').slice('logweir: '.length) : (lines.at(-1) ?? '');
    const remedy = said >= 0 ? (lines[said + 1] ?? '').trim() : '';
    return new LogweirError(
      'SERVER_START_FAILED',
      `${failure.unit} ${failure.reason}${why === '' ? '.' : `: ${why}`}`,
      remedy || `Its log is ${log?.path}.`,
    );
  }
}

async function poll(probe: () => Promise<boolean>, over: () => boolean, ready: () => void): Promise<void> {
  while (!over()) {
    if (await probe()) {
      if (!over()) ready();
      return;
    }
    await sleep(probeEveryMs);
  }
}
