import { describe, expect, it } from 'vitest';
import type { Heartbeat } from '#protocol/mod.ts';
import { exactness } from './clickhouse.ts';
import { type UnitKind, unitKinds } from './fleet.ts';
import { HealingWatch, healingTable } from './healing.ts';
import { address, renderNumbered } from './requests.ts';
import { type Fault, schedule } from './schedule.ts';
import { holdBack, type Sent } from './stream.ts';

const units: Record<UnitKind, string[]> = {
  worker: ['worker-1', 'worker-2', 'worker-3'],
  coordinator: ['coordinator-1', 'coordinator-2'],
  gateway: ['gateway-1', 'gateway-2'],
  storage: ['storage'],
  alerting: ['alerting'],
  redis: ['redis-server'],
  nats: ['nats-server'],
};

describe('the schedule', () => {
  const options = { seed: 7, faults: 50, durationMs: 600_000, units };
  const planned = schedule(options);

  it('follows from the seed', () => {
    expect(schedule(options)).toEqual(planned);
    expect(schedule({ ...options, seed: 8 })).not.toEqual(planned);
  });

  it('kills and freezes every kind, in order of time', () => {
    expect(planned).toHaveLength(50);
    expect(new Set(planned.map(({ kind, how }) => `${kind} ${how}`)).size).toBe(2 * unitKinds.length);
    expect(planned.map(({ atMs }) => atMs)).toEqual(planned.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
    expect(planned.map(({ number }) => number)).toEqual(planned.map((_, index) => index + 1));
  });

  it('hits what it is told to hit', () => {
    const only = schedule({ ...options, only: ['nats', 'worker'] });
    expect(new Set(only.map(({ kind }) => kind))).toEqual(new Set(['nats', 'worker']));
  });

  it('lets faults overlap, but hits no unit that is away', () => {
    const overlaps = planned.filter((one) =>
      planned.some((other) => other !== one && other.atMs < one.atMs && other.atMs + other.awayMs > one.atMs),
    );
    expect(overlaps.length).toBeGreaterThan(5);
    for (const one of planned)
      for (const other of planned)
        if (other.number > one.number && other.unit === one.unit)
          expect(other.atMs).toBeGreaterThanOrEqual(one.atMs + one.awayMs);
  });
});

describe('numbered bodies', () => {
  const [body] = renderNumbered({ seed: 3, bodies: 1, linesPerBody: 30 });
  if (body === undefined) throw new Error('no body');

  it('say in every line which request and which line it is', () => {
    const lines = (request: number): Record<string, string>[] =>
      address(body, request, Date.UTC(2030, 0))
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>);
    for (const request of [42, 4_000_000_000]) {
      expect(lines(request).map((line) => Number(line['load_request']))).toEqual(new Array(30).fill(request));
      expect(lines(request).map((line) => Number(line['load_line']))).toEqual(Array.from({ length: 30 }, (_, n) => n));
      expect(lines(request)[7]?.['timestamp']).toBe('2030-01-01T00:00:00.000Z');
    }
  });
});

describe('exactness', () => {
  const sent = (request: number, acknowledged = true): Sent => ({
    request,
    lines: 10,
    eventMs: 0,
    acknowledgedMs: acknowledged ? 1 : null,
  });
  const stored = (...rows: [request: number, rows: number, lines: number][]) =>
    new Map(rows.map(([request, count, lines]) => [request, { rows: count, lines }]));

  it('holds where every record is there once', () => {
    const found = exactness([sent(1), sent(2)], stored([1, 10, 10], [2, 10, 10]));
    expect(found).toEqual({ acknowledged: 20, lost: 0, lostKnown: 0, doubled: 0, unacknowledged: 0, examples: [] });
  });

  it('cannot hide a loss behind a double, in one request or over two', () => {
    expect(exactness([sent(1)], stored([1, 10, 9]))).toMatchObject({ lost: 1, doubled: 1 });
    expect(exactness([sent(1), sent(2)], stored([1, 9, 9], [2, 11, 10]))).toMatchObject({ lost: 1, doubled: 1 });
  });

  it('lets a request without an answer be there or not, but not twice', () => {
    expect(exactness([sent(1, false)], stored())).toMatchObject({ lost: 0, unacknowledged: 0 });
    expect(exactness([sent(1, false)], stored([1, 10, 5]))).toMatchObject({ lost: 0, doubled: 5, unacknowledged: 5 });
  });

  it('takes as gone what is known to be, and no more', () => {
    expect(exactness([sent(1)], stored([1, 6, 6]), new Map([[1, 4]]))).toMatchObject({ lost: 0, lostKnown: 4 });
    expect(exactness([sent(1)], stored([1, 6, 6]), new Map([[1, 3]]))).toMatchObject({ lost: 1, lostKnown: 3 });
    expect(exactness([sent(1)], stored([1, 10, 10]), new Map([[1, 3]]))).toMatchObject({ lost: 0, lostKnown: 0 });
  });

  it('names what nobody sent', () => {
    expect(exactness([], stored([9, 1, 1]))).toMatchObject({ doubled: 1, examples: [expect.stringContaining('9')] });
  });
});

describe('healing', () => {
  const fault = (unit: string, kind: UnitKind, how: Fault['how'] = 'kill'): Fault => ({
    number: 1,
    atMs: 0,
    unit,
    kind,
    how,
    awayMs: 1_000,
  });
  const beat = (
    role: Heartbeat['role'],
    id: string,
    atMs: number,
    partitions: [partition: number, sequence: number][] = [],
    counters: Record<string, number> = {},
  ): Heartbeat => ({
    role,
    id,
    host: 'h',
    pid: 1,
    atMs,
    rssBytes: 0,
    leaving: false,
    recordsPerSecond: 0,
    counters,
    partitions: partitions.map(([partition, sequence]) => ({ partition, sequence, recordsPerSecond: 0, lagMs: 0 })),
    services: [],
  });

  it('of a worker comes when the last of its partitions has gone on, not with a beat from before', () => {
    const watch = new HealingWatch();
    watch.beat(
      beat('worker', 'worker-1', 90, [
        [1, 10],
        [2, 20],
      ]),
      90,
    );
    watch.fault(fault('worker-1', 'worker'), 100);
    watch.beat(
      beat('worker', 'worker-1', 95, [
        [1, 11],
        [2, 21],
      ]),
      110,
    );
    watch.beat(
      beat('worker', 'worker-2', 2_000, [
        [1, 12],
        [2, 20],
      ]),
      2_000,
    );
    expect(watch.unhealed).toHaveLength(1);
    watch.beat(beat('worker', 'worker-3', 2_500, [[2, 21]]), 2_500);
    expect(watch.all).toMatchObject([{ startedMs: 100, healedMs: 2_500 }]);
  });

  it('of the leader comes with another lease, of a standby when it beats again', () => {
    const watch = new HealingWatch();
    watch.leads('coordinator-1', 50);
    watch.fault(fault('coordinator-1', 'coordinator'), 100);
    watch.fault(fault('coordinator-2', 'coordinator'), 100);
    watch.leads('coordinator-1', 120);
    expect(watch.unhealed).toHaveLength(2);
    watch.beat(beat('coordinator', 'coordinator-2', 900), 900);
    watch.leads('coordinator-2', 3_000);
    expect(watch.all.map(({ healedMs }) => healedMs)).toEqual([3_000, 900]);
  });

  it('of the others comes with what they do for people', () => {
    const watch = new HealingWatch();
    watch.beat(beat('storage', 'storage', 50, [], { committed: 7 }), 50);
    for (const [unit, kind] of [
      ['storage', 'storage'],
      ['gateway-1', 'gateway'],
      ['redis-server', 'redis'],
    ] as const)
      watch.fault(fault(unit, kind), 100);
    watch.acknowledged('gateway-2', 150, 160);
    watch.acknowledged('gateway-1', 90, 170);
    watch.told(90, 180);
    watch.beat(beat('storage', 'storage', 190, [], { committed: 7 }), 190);
    expect(watch.unhealed).toHaveLength(3);
    watch.acknowledged('gateway-1', 200, 210);
    watch.told(200, 220);
    watch.beat(beat('storage', 'storage', 230, [], { committed: 8 }), 230);
    expect(watch.all.map(({ healedMs }) => healedMs)).toEqual([230, 210, 220]);
  });

  it('of nats-server needs all of it', () => {
    const watch = new HealingWatch();
    watch.beat(beat('worker', 'worker-1', 50, [[0, 5]]), 50);
    watch.fault(fault('nats-server', 'nats'), 100);
    watch.acknowledged('gateway-1', 200, 210);
    watch.told(200, 220);
    watch.beat(beat('storage', 'storage', 230, [], { committed: 1 }), 230);
    expect(watch.unhealed).toHaveLength(1);
    watch.beat(beat('worker', 'worker-1', 300, [[0, 6]]), 300);
    expect(watch.all).toMatchObject([{ healedMs: 300 }]);
  });

  it('is summed up by kind', () => {
    const all = [1_000, 3_000, 2_000].map((ms) => ({ fault: fault('storage', 'storage'), startedMs: 0, healedMs: ms }));
    expect(healingTable([...all, { fault: fault('x', 'redis', 'freeze'), startedMs: 0, healedMs: null }])).toEqual([
      { kind: 'redis', how: 'freeze', count: 1, unhealed: 1, medianSeconds: null, maxSeconds: null, awaySeconds: 1 },
      { kind: 'storage', how: 'kill', count: 3, unhealed: 0, medianSeconds: 2, maxSeconds: 3, awaySeconds: 1 },
    ]);
  });
});

describe('holding back', () => {
  it('begins far behind and ends well before that, so that it does not flutter', () => {
    expect(holdBack(false, 200_000, 10_000)).toBe(false);
    expect(holdBack(false, 260_000, 10_000)).toBe(true);
    expect(holdBack(true, 200_000, 10_000)).toBe(true);
    expect(holdBack(true, 100_000, 10_000)).toBe(false);
  });
});
