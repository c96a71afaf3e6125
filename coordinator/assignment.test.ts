import { describe, expect, it } from 'vitest';
import { type Assignment, type Member, plan } from './assignment.ts';

const member = (id: string, running: number[] = []): Member => ({ id, running: new Set(running) });
const none = new Set<number>();
const even = (count: number): number[] => new Array(count).fill(1);
const start = (count: number): Assignment => ({ epoch: 0, generation: 1, owners: new Array(count).fill(null) });

/** Plans until nothing changes, with members that let go and take up at once. */
function settle(present: Assignment, ids: string[], weights: number[]): { assignment: Assignment; moved: number } {
  let assignment = present;
  for (let round = 0; round < 50; round++) {
    const members = ids.map((id) =>
      member(
        id,
        assignment.owners.flatMap((owner, p) => (owner === id ? [p] : [])),
      ),
    );
    const next = plan({ present: assignment, members, weights, draining: none, rebalance: true });
    if (next === null) {
      const moved = assignment.owners.filter(
        (owner, p) => present.owners[p] !== null && owner !== present.owners[p],
      ).length;
      return { assignment, moved };
    }
    assignment = next;
  }
  throw new Error('does not settle');
}

const share = (assignment: Assignment, id: string): number => assignment.owners.filter((owner) => owner === id).length;

describe('plan', () => {
  it('gives everything to the only worker, and nothing to nobody', () => {
    expect(plan({ present: start(4), members: [], weights: even(4), draining: none, rebalance: true })).toBeNull();
    const { assignment } = settle(start(4), ['a'], even(4));
    expect(assignment.owners).toEqual(['a', 'a', 'a', 'a']);
    expect(assignment.epoch).toBe(1);
  });

  it('moves the least possible when a worker joins or leaves', () => {
    const two = settle(start(64), ['a', 'b'], even(64)).assignment;
    expect([share(two, 'a'), share(two, 'b')]).toEqual([32, 32]);
    const joined = settle(two, ['a', 'b', 'c'], even(64));
    expect(joined.moved).toBeLessThanOrEqual(22);
    expect(share(joined.assignment, 'c')).toBeGreaterThanOrEqual(20);
    const left = settle(joined.assignment, ['a', 'b'], even(64));
    expect(left.moved).toBe(share(joined.assignment, 'c'));
  });

  it('weighs load, not only count', () => {
    const weights = even(8);
    weights[0] = 7;
    const { assignment } = settle(start(8), ['a', 'b'], weights);
    const heavy = assignment.owners[0] as string;
    expect(share(assignment, heavy)).toBe(1);
  });

  it('grants a partition only once nobody alive runs it', () => {
    const present: Assignment = { epoch: 3, generation: 1, owners: [null, 'a'] };
    expect(
      plan({ present, members: [member('a', [0, 1])], weights: even(2), draining: none, rebalance: false }),
    ).toBeNull();
    const next = plan({ present, members: [member('a', [1])], weights: even(2), draining: none, rebalance: false });
    expect(next).toEqual({ epoch: 4, generation: 1, owners: ['a', 'a'] });
  });

  it('waits for a leaving worker to drain', () => {
    const present: Assignment = { epoch: 3, generation: 1, owners: ['gone', 'a'] };
    const input = { present, members: [member('a', [1])], weights: even(2), rebalance: false };
    expect(plan({ ...input, draining: new Set([0]) })?.owners).toEqual([null, 'a']);
    expect(plan({ ...input, draining: none })?.owners).toEqual(['a', 'a']);
  });

  it('does not depend on the order in which members are listed', () => {
    const members = ['c', 'a', 'b'].map((id) => member(id));
    const once = plan({ present: start(10), members, weights: even(10), draining: none, rebalance: true });
    expect(
      plan({ present: start(10), members: [...members].reverse(), weights: even(10), draining: none, rebalance: true }),
    ).toEqual(once);
  });
});
