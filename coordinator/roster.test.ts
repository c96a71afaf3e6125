import { describe, expect, it } from 'vitest';
import type { Assignment } from './assignment.ts';
import type { Seen } from './membership.ts';
import { type Look, Roster } from './roster.ts';
import { workerBeat } from './testing/beat.ts';

const worker = (id: string, partitions: number[] = [], change: { pid?: number; leaving?: boolean } = {}): Seen => ({
  heardMs: 0,
  beat: workerBeat(id, {
    partitions: partitions.map((partition) => ({ partition, recordsPerSecond: 0, sequence: 1, lagMs: 0 })),
    ...change,
  }),
});
const owned = (...owners: (string | null)[]): Assignment => ({ epoch: 1, generation: 1, owners, moves: [] });
const ids = (look: Look | null): string[] | undefined => look?.members.map(({ id }) => id);

describe('Roster', () => {
  it('waits in a new cluster until workers came together, but not for ever', () => {
    const roster = new Roster(0);
    expect(roster.look(1_000, [worker('a')], null)).toBeNull();
    expect(roster.look(1_500, [worker('a'), worker('b')], null)).toBeNull();
    expect(ids(roster.look(2_250, [worker('a'), worker('b')], null))).toEqual(['a', 'b']);

    const restless = new Roster(0);
    const more: Seen[] = [];
    let nowMs = 1_000;
    for (; restless.look(nowMs, more, null) === null && nowMs < 60_000; nowMs += 500) more.push(worker(`w${nowMs}`));
    expect(nowMs).toBeLessThanOrEqual(4_500);
  });

  it('presumes owners alive that a coordinator which just started has not heard of yet', () => {
    const roster = new Roster(0);
    const present = owned('a', 'b', 'b');
    const early = roster.look(1_000, [worker('a')], present);
    expect(early?.members[1]).toEqual({ id: 'b', running: new Set([1, 2]), accepts: false });
    expect(early?.rebalance).toBe(false);
    expect(ids(roster.look(7_000, [worker('a')], present))).toEqual(['a']);
    // One that was heard of and is gone is dead.
    const other = new Roster(0);
    other.look(500, [worker('a'), worker('b')], present);
    expect(ids(other.look(3_500, [worker('a')], present))).toEqual(['a']);
  });

  it('keeps everything where it is while no worker is heard of, and for a moment after the first came back', () => {
    const roster = new Roster(0);
    const present = owned('a', 'b');
    roster.look(20_000, [worker('a'), worker('b')], present);
    expect(roster.look(24_000, [], present)).toBeNull();
    expect(ids(roster.look(25_000, [worker('b', [], { pid: 2 })], present))).toEqual(['b', 'a']);
    expect(ids(roster.look(27_500, [worker('b', [], { pid: 2 })], present))).toEqual(['b']);
  });

  it('allows balancing a second after members changed, and every ten seconds', () => {
    const roster = new Roster(0);
    const present = owned('a', 'a');
    const rebalance = (nowMs: number, workers: Seen[]): boolean | undefined =>
      roster.look(nowMs, workers, present)?.rebalance;
    const one = [worker('a')];
    const two = [worker('a'), worker('b')];
    expect(rebalance(10_000, one)).toBe(false);
    expect(rebalance(11_000, one)).toBe(true);
    roster.balanced(11_000);
    expect(rebalance(11_250, two)).toBe(false);
    expect(rebalance(12_250, two)).toBe(true);
    roster.balanced(12_250);
    expect(rebalance(12_500, two)).toBe(false);
    expect(rebalance(22_250, two)).toBe(true);
    const moving = { ...present, moves: [{ partition: 1, to: 'b' }] };
    expect(roster.look(22_500, two, moving)?.rebalance).toBe(false);
  });

  it('gives a worker that comes and goes nothing more until it stayed', () => {
    const roster = new Roster(0);
    const present = owned('a', 'b');
    const accepts = (nowMs: number, pid: number): boolean | undefined =>
      roster.look(nowMs, [worker('a', [0]), worker('b', [1], { pid })], present)?.members[1]?.accepts;
    expect(accepts(10_000, 1)).toBe(true);
    expect(accepts(15_000, 2)).toBe(true);
    expect(accepts(20_000, 3)).toBe(false);
    expect(accepts(34_000, 3)).toBe(false);
    expect(accepts(35_000, 3)).toBe(true);
  });

  it('counts what a leaving worker still runs as draining, and its end as no flap', () => {
    const roster = new Roster(0);
    const present = owned('a', 'b');
    for (let pid = 1; pid < 5; pid++) {
      const fresh = roster.look(10_000 * pid, [worker('a'), worker('b', [1], { pid })], present);
      expect(fresh?.members[1]?.accepts).toBe(true);
      const look = roster.look(10_000 * pid + 500, [worker('a'), worker('b', [1], { pid, leaving: true })], present);
      expect(ids(look)).toEqual(['a']);
      expect(look?.draining).toEqual(new Set([1]));
      roster.look(10_000 * pid + 1_000, [worker('a')], present);
    }
  });
});
