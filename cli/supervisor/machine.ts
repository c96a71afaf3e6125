/**
 * What the supervisor decides, without doing it: `step(state, event)` gives the next state and the effects to carry
 * out. No clock, no processes; the shell in `supervisor.ts` brings events and time.
 *
 * M1 A unit is started for the first time once every unit of a lower stage has been ready.
 * M2 Until the whole cluster has been ready once, a unit that ends or is not ready in time ends the start: its
 *    configuration or surroundings are wrong, and trying again would only hide that.
 * M3 After that, a unit that ends is started again after a pause that doubles up to a bound, and starts short again
 *    once the unit has been ready for a while.
 * M4 Stopping goes by stop order; the next group is told to stop only when the one before it has ended.
 * M5 A unit that does not end in time, or when stopping is forced, is killed.
 * M6 A unit that is added to a running cluster is started at once, and from then on is like any other (M3).
 * M7 A unit that is retired is told to stop, and forgotten when it has ended; one that waits to be started again at once.
 */

export interface UnitSpec {
  name: string;
  /** Order of the first start, 0 first. */
  stage: number;
  /** Order of stopping, 0 first. */
  stopOrder: number;
  readyTimeoutMs: number;
  stopTimeoutMs: number;
}

export type UnitState =
  | { status: 'idle' }
  | { status: 'starting'; sinceMs: number; failures: number }
  | { status: 'ready'; sinceMs: number; failures: number }
  | { status: 'pausing'; untilMs: number; failures: number }
  /** Killed because it was not ready in time; its exit leads to another start. */
  | { status: 'late'; failures: number }
  | { status: 'stopping'; sinceMs: number; killed: boolean }
  | { status: 'ended' };

export interface SupervisorState {
  phase: 'starting' | 'running' | 'stopping' | 'ended';
  units: Readonly<Record<string, UnitState>>;
  /** Why the start failed, in words; undefined for an orderly end. */
  failure: { unit: string; reason: string } | undefined;
}

export type SupervisorEvent =
  | { type: 'begin' }
  | { type: 'ready'; unit: string }
  | { type: 'exited'; unit: string; how: string }
  | { type: 'tick' }
  /** The unit is among the specs from now on. */
  | { type: 'add'; unit: string }
  | { type: 'retire'; unit: string }
  | { type: 'stop' }
  | { type: 'force' };

export type SupervisorEffect =
  | { type: 'spawn'; unit: string }
  | { type: 'terminate'; unit: string }
  | { type: 'kill'; unit: string }
  | { type: 'say'; text: string; unit: string }
  /** A retired unit has ended: it is to be no more among the specs. */
  | { type: 'retired'; unit: string }
  | { type: 'running' }
  | { type: 'ended' };

export const pauseMsMin = 250;
export const pauseMsMax = 30_000;
/** A unit that was ready this long is forgiven its earlier failures. */
export const steadyMs = 60_000;

export interface Step {
  state: SupervisorState;
  effects: SupervisorEffect[];
}

export function initialState(specs: readonly UnitSpec[]): SupervisorState {
  return {
    phase: 'starting',
    units: Object.fromEntries(specs.map((spec) => [spec.name, { status: 'idle' } as const])),
    failure: undefined,
  };
}

export function step(specs: readonly UnitSpec[], state: SupervisorState, event: SupervisorEvent, nowMs: number): Step {
  const draft = new Draft(specs, state, nowMs);
  draft.take(event);
  return draft.result();
}

class Draft {
  private readonly specs: readonly UnitSpec[];
  private readonly nowMs: number;
  private phase: SupervisorState['phase'];
  private readonly units: Record<string, UnitState>;
  private failure: SupervisorState['failure'];
  private readonly effects: SupervisorEffect[] = [];

  constructor(specs: readonly UnitSpec[], state: SupervisorState, nowMs: number) {
    this.specs = specs;
    this.nowMs = nowMs;
    this.phase = state.phase;
    this.units = { ...state.units };
    this.failure = state.failure;
  }

  result(): Step {
    return { state: { phase: this.phase, units: this.units, failure: this.failure }, effects: this.effects };
  }

  take(event: SupervisorEvent): void {
    if (this.phase === 'ended') return;
    switch (event.type) {
      case 'begin':
        break;
      case 'ready':
        this.onReady(event.unit);
        break;
      case 'exited':
        this.onExited(event.unit, event.how);
        break;
      case 'tick':
        this.onTick();
        break;
      case 'add':
        this.onAdd(event.unit);
        break;
      case 'retire':
        this.onRetire(event.unit);
        break;
      case 'stop':
        this.phase = 'stopping';
        break;
      case 'force':
        this.phase = 'stopping';
        for (const spec of this.specs) this.kill(spec.name);
        break;
    }
    if (this.phase === 'starting') this.advanceStart();
    if (this.phase === 'stopping') this.advanceStop();
  }

  private unit(name: string): UnitState {
    return this.units[name] ?? { status: 'ended' };
  }

  private onReady(name: string): void {
    const unit = this.unit(name);
    if (unit.status !== 'starting') return;
    this.units[name] = { status: 'ready', sinceMs: this.nowMs, failures: unit.failures };
    this.effects.push({
      type: 'say',
      unit: name,
      text: `ready in ${((this.nowMs - unit.sinceMs) / 1000).toFixed(1)} s`,
    });
  }

  private onExited(name: string, how: string): void {
    const unit = this.unit(name);
    if (this.phase === 'stopping') {
      this.units[name] = { status: 'ended' };
      return;
    }
    if (this.phase === 'starting') {
      this.units[name] = { status: 'ended' };
      this.fail(name, how);
      return;
    }
    if (unit.status === 'stopping') {
      this.forget(name);
      return;
    }
    const steady = unit.status === 'ready' && this.nowMs - unit.sinceMs >= steadyMs;
    const failures = steady || !('failures' in unit) ? 1 : unit.failures + 1;
    const pauseMs = Math.min(pauseMsMin * 2 ** (failures - 1), pauseMsMax);
    this.units[name] = { status: 'pausing', untilMs: this.nowMs + pauseMs, failures };
    this.effects.push({ type: 'say', unit: name, text: `${how}; starts again in ${pauseMs / 1000} s` });
  }

  /** M6. */
  private onAdd(name: string): void {
    if (this.units[name] !== undefined) return;
    if (this.phase === 'running') this.spawn(name, 0);
    else this.units[name] = { status: this.phase === 'starting' ? 'idle' : 'ended' };
  }

  /** M7. */
  private onRetire(name: string): void {
    const { status } = this.unit(name);
    if (this.phase !== 'running' || status === 'stopping') return;
    if (status === 'idle' || status === 'pausing' || status === 'ended') {
      this.forget(name);
      return;
    }
    this.units[name] = { status: 'stopping', sinceMs: this.nowMs, killed: status === 'late' };
    if (status !== 'late') this.effects.push({ type: 'terminate', unit: name });
  }

  private forget(name: string): void {
    delete this.units[name];
    this.effects.push({ type: 'retired', unit: name });
  }

  private onTick(): void {
    for (const spec of this.specs) {
      const unit = this.unit(spec.name);
      if (unit.status === 'pausing' && this.phase === 'running' && this.nowMs >= unit.untilMs) {
        this.spawn(spec.name, unit.failures);
      } else if (unit.status === 'starting' && this.nowMs - unit.sinceMs >= spec.readyTimeoutMs) {
        this.onLate(spec);
      } else if (unit.status === 'stopping' && !unit.killed && this.nowMs - unit.sinceMs >= spec.stopTimeoutMs) {
        this.effects.push({ type: 'say', unit: spec.name, text: `did not stop within ${spec.stopTimeoutMs / 1000} s` });
        this.kill(spec.name);
      }
    }
  }

  /** M2 while starting; later its exit leads to another start (M3). */
  private onLate(spec: UnitSpec): void {
    const how = `was not ready within ${spec.readyTimeoutMs / 1000} s`;
    if (this.phase === 'starting') this.fail(spec.name, how);
    if (this.phase === 'stopping') {
      this.kill(spec.name);
      return;
    }
    const unit = this.unit(spec.name);
    this.effects.push({ type: 'say', unit: spec.name, text: how }, { type: 'kill', unit: spec.name });
    this.units[spec.name] = { status: 'late', failures: 'failures' in unit ? unit.failures : 0 };
  }

  private fail(unit: string, reason: string): void {
    this.failure ??= { unit, reason };
    this.phase = 'stopping';
  }

  private spawn(name: string, failures: number): void {
    this.units[name] = { status: 'starting', sinceMs: this.nowMs, failures };
    this.effects.push({ type: 'spawn', unit: name });
  }

  private kill(name: string): void {
    const unit = this.unit(name);
    if (unit.status === 'idle' || unit.status === 'pausing') this.units[name] = { status: 'ended' };
    else if (unit.status !== 'ended') {
      this.units[name] = { status: 'stopping', sinceMs: this.nowMs, killed: true };
      this.effects.push({ type: 'kill', unit: name });
    }
  }

  /** M1. */
  private advanceStart(): void {
    const open = this.specs.filter((spec) => this.unit(spec.name).status !== 'ready').map((spec) => spec.stage);
    if (open.length === 0) {
      this.phase = 'running';
      this.effects.push({ type: 'running' });
      return;
    }
    const stage = Math.min(...open);
    for (const spec of this.specs) {
      if (spec.stage === stage && this.unit(spec.name).status === 'idle') this.spawn(spec.name, 0);
    }
  }

  /** M4. */
  private advanceStop(): void {
    for (const spec of this.specs) {
      const { status } = this.unit(spec.name);
      if (status === 'idle' || status === 'pausing') this.units[spec.name] = { status: 'ended' };
    }
    const left = this.specs.filter((spec) => this.unit(spec.name).status !== 'ended');
    if (left.length === 0) {
      this.phase = 'ended';
      this.effects.push({ type: 'ended' });
      return;
    }
    const group = Math.min(...left.map((spec) => spec.stopOrder));
    for (const spec of left) {
      const { status } = this.unit(spec.name);
      if (spec.stopOrder !== group || status === 'stopping') continue;
      this.units[spec.name] = { status: 'stopping', sinceMs: this.nowMs, killed: false };
      this.effects.push({ type: 'terminate', unit: spec.name });
    }
  }
}
