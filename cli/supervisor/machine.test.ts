import { describe, expect, it } from 'vitest';
import {
  initialState,
  pauseMsMax,
  steadyMs,
  step,
  type SupervisorEffect,
  type SupervisorEvent,
  type SupervisorState,
  type UnitSpec,
} from './machine.ts';

const unit = (name: string, stage: number, stopOrder: number): UnitSpec => ({
  name,
  stage,
  stopOrder,
  readyTimeoutMs: 10_000,
  stopTimeoutMs: 5_000,
});
const specs = [
  unit('nats', 0, 3),
  unit('redis', 0, 2),
  unit('worker-1', 1, 1),
  unit('worker-2', 1, 1),
  unit('gateway', 2, 0),
];

/** Runs events against the machine and keeps effects in short: `spawn nats`. */
class Run {
  state: SupervisorState = initialState(specs);
  specs = specs;
  nowMs = 0;

  send(event: SupervisorEvent): string[] {
    const { state, effects } = step(this.specs, this.state, event, this.nowMs);
    this.state = state;
    return effects.filter((effect) => effect.type !== 'say').map(short);
  }

  ready(...units: string[]): string[] {
    return units.flatMap((name) => this.send({ type: 'ready', unit: name }));
  }

  exited(...units: string[]): string[] {
    return units.flatMap((name) => this.send({ type: 'exited', unit: name, how: 'ended with code 1' }));
  }

  after(ms: number): string[] {
    this.nowMs += ms;
    return this.send({ type: 'tick' });
  }

  static running(): Run {
    const run = new Run();
    run.send({ type: 'begin' });
    run.ready('nats', 'redis', 'worker-1', 'worker-2', 'gateway');
    return run;
  }
}

const short = (effect: SupervisorEffect): string => ('unit' in effect ? `${effect.type} ${effect.unit}` : effect.type);

describe('supervisor decisions', () => {
  it('starts stage by stage (M1)', () => {
    const run = new Run();
    expect(run.send({ type: 'begin' })).toEqual(['spawn nats', 'spawn redis']);
    expect(run.ready('nats')).toEqual([]);
    expect(run.ready('redis')).toEqual(['spawn worker-1', 'spawn worker-2']);
    expect(run.ready('worker-2', 'worker-1')).toEqual(['spawn gateway']);
    expect(run.ready('gateway')).toEqual(['running']);
    expect(run.state.phase).toBe('running');
  });

  it('ends the start when a unit ends before all was ready (M2)', () => {
    const run = new Run();
    run.send({ type: 'begin' });
    run.ready('nats', 'redis');
    expect(run.exited('worker-1')).toEqual(['terminate worker-2']);
    expect(run.state.failure).toEqual({ unit: 'worker-1', reason: 'ended with code 1' });
    expect(run.exited('worker-2')).toEqual(['terminate redis']);
    expect(run.exited('redis')).toEqual(['terminate nats']);
    expect(run.exited('nats')).toEqual(['ended']);
  });

  it('ends the start when a unit is not ready in time (M2)', () => {
    const run = new Run();
    run.send({ type: 'begin' });
    run.ready('nats');
    expect(run.after(9_999)).toEqual([]);
    expect(run.after(1)).toEqual(['kill redis']);
    expect(run.state.failure).toEqual({ unit: 'redis', reason: 'was not ready within 10 s' });
    expect(run.exited('redis')).toEqual(['terminate nats']);
  });

  it('starts a crashed unit again after growing pauses (M3)', () => {
    const run = Run.running();
    const pauses: number[] = [];
    for (let crash = 0; crash < 9; crash++) {
      run.exited('worker-1');
      let pause = 0;
      while (!run.after(50).includes('spawn worker-1')) pause += 50;
      pauses.push(pause + 50);
      run.ready('worker-1');
    }
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, pauseMsMax, pauseMsMax]);
    run.after(steadyMs);
    run.exited('worker-1');
    expect(run.after(250)).toEqual(['spawn worker-1']);
  });

  it('kills and starts again a unit that hangs while it starts again (M3)', () => {
    const run = Run.running();
    run.exited('worker-1');
    run.after(250);
    expect(run.after(10_000)).toEqual(['kill worker-1']);
    expect(run.after(10_000)).toEqual([]);
    run.exited('worker-1');
    expect(run.after(500)).toEqual(['spawn worker-1']);
  });

  it('stops group by group (M4)', () => {
    const run = Run.running();
    expect(run.send({ type: 'stop' })).toEqual(['terminate gateway']);
    expect(run.send({ type: 'stop' })).toEqual([]);
    expect(run.exited('gateway')).toEqual(['terminate worker-1', 'terminate worker-2']);
    expect(run.exited('worker-1')).toEqual([]);
    expect(run.exited('worker-2')).toEqual(['terminate redis']);
    expect(run.exited('redis')).toEqual(['terminate nats']);
    expect(run.exited('nats')).toEqual(['ended']);
    expect(run.state).toMatchObject({ phase: 'ended', failure: undefined });
  });

  it('leaves out what does not run when it stops (M4)', () => {
    const run = Run.running();
    run.exited('gateway');
    expect(run.send({ type: 'stop' })).toEqual(['terminate worker-1', 'terminate worker-2']);
  });

  it('kills what does not stop in time, once (M5)', () => {
    const run = Run.running();
    run.send({ type: 'stop' });
    expect(run.after(4_999)).toEqual([]);
    expect(run.after(1)).toEqual(['kill gateway']);
    expect(run.after(9_000)).toEqual([]);
    expect(run.exited('gateway')).toEqual(['terminate worker-1', 'terminate worker-2']);
  });

  it('kills everything when forced (M5)', () => {
    const run = Run.running();
    run.send({ type: 'stop' });
    expect(run.send({ type: 'force' })).toEqual([
      'kill nats',
      'kill redis',
      'kill worker-1',
      'kill worker-2',
      'kill gateway',
    ]);
    expect(run.exited('nats', 'redis', 'worker-1', 'worker-2', 'gateway')).toEqual(['ended']);
  });

  it('starts an added unit at once, and again when it ends (M6)', () => {
    const run = Run.running();
    run.specs = [...specs, unit('worker-3', 1, 1)];
    expect(run.send({ type: 'add', unit: 'worker-3' })).toEqual(['spawn worker-3']);
    expect(run.send({ type: 'add', unit: 'worker-3' })).toEqual([]);
    run.exited('worker-3');
    expect(run.after(250)).toEqual(['spawn worker-3']);
    run.ready('worker-3');
    run.send({ type: 'stop' });
    expect(run.exited('gateway')).toEqual(['terminate worker-1', 'terminate worker-2', 'terminate worker-3']);
  });

  it('ends a retired unit in order, kills it when it does not end, and forgets it (M7)', () => {
    const run = Run.running();
    expect(run.send({ type: 'retire', unit: 'worker-2' })).toEqual(['terminate worker-2']);
    expect(run.send({ type: 'retire', unit: 'worker-2' })).toEqual([]);
    expect(run.after(5_000)).toEqual(['kill worker-2']);
    expect(run.exited('worker-2')).toEqual(['retired worker-2']);
    run.specs = specs.filter(({ name }) => name !== 'worker-2');
    expect(run.after(60_000)).toEqual([]);
    expect(Object.keys(run.state.units)).toEqual(['nats', 'redis', 'worker-1', 'gateway']);

    run.exited('worker-1');
    expect(run.send({ type: 'retire', unit: 'worker-1' })).toEqual(['retired worker-1']);
    run.specs = specs.filter(({ name }) => !name.startsWith('worker'));
    run.send({ type: 'stop' });
    expect(run.exited('gateway')).toEqual(['terminate redis']);
  });

  it('stops in order while a unit is being retired (M4, M7)', () => {
    const run = Run.running();
    run.send({ type: 'retire', unit: 'worker-2' });
    expect(run.send({ type: 'stop' })).toEqual(['terminate gateway']);
    expect(run.exited('gateway')).toEqual(['terminate worker-1']);
    expect(run.exited('worker-2')).toEqual([]);
    expect(run.exited('worker-1')).toEqual(['terminate redis']);
  });

  it('stops from any moment of the start', () => {
    const run = new Run();
    run.send({ type: 'begin' });
    expect(run.send({ type: 'stop' })).toEqual(['terminate redis']);
    expect(run.exited('redis', 'nats')).toEqual(['terminate nats', 'ended']);
    expect(run.exited('nats')).toEqual([]);
  });
});
