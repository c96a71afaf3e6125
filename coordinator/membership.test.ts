import { describe, expect, it } from 'vitest';
import { type Heartbeat, heartbeatTimeoutMs, pack } from '#protocol/mod.ts';
import { Membership } from './membership.ts';
import { workerBeat } from './testing/beat.ts';

const beat = (id: string, change: Partial<Heartbeat> = {}): Uint8Array => pack(workerBeat(id, change));

const ids = (membership: Membership, nowMs: number): string[] =>
  membership.alive('worker', nowMs).map((seen) => seen.beat.id);

describe('Membership', () => {
  it('takes a silent worker for dead, and a leaving one out once it holds nothing', () => {
    const membership = new Membership();
    for (const id of ['b', 'a', 'c']) membership.hear(beat(id), 0);
    membership.hear(new Uint8Array([1]), 0);
    membership.hear(beat('c', { leaving: true }), 1);
    expect(ids(membership, heartbeatTimeoutMs)).toEqual(['a', 'b']);
    membership.hear(beat('b'), heartbeatTimeoutMs);
    expect(ids(membership, heartbeatTimeoutMs + 1)).toEqual(['b']);
  });

  it('does not take its own absence for the silence of others', () => {
    const membership = new Membership();
    for (let now = 0; now <= 1_000; now += 250) membership.awake(now);
    membership.hear(beat('a'), 1_000);
    membership.awake(9_000);
    expect(ids(membership, 9_000)).toEqual(['a']);
    for (let now = 9_250; now <= 12_000; now += 250) membership.awake(now);
    expect(ids(membership, 12_000)).toEqual([]);
  });

  it('gives a process more time that was taken for dead and was not, until it was on time for long', () => {
    const membership = new Membership();
    let now = 0;
    /** How long `a` may be silent, ms, after which it is heard of again. */
    const silence = (change: Partial<Heartbeat> = {}): number => {
      const fromMs = now;
      membership.hear(beat('a', change), now);
      while (ids(membership, now).length > 0) now += 100;
      return now - fromMs - 100;
    };
    expect(Array.from({ length: 5 }, () => silence())).toEqual([2_500, 5_000, 10_000, 20_000, 20_000]);
    // Another process of that name has done nothing.
    expect([silence({ pid: 2 }), silence({ pid: 2 })]).toEqual([2_500, 5_000]);
    membership.hear(beat('a', { pid: 2 }), now);
    for (const untilMs = now + 301_000; now < untilMs; now += 500) {
      membership.hear(beat('a', { pid: 2 }), now);
      ids(membership, now);
    }
    expect(silence({ pid: 2 })).toBe(2_500);
  });
});
