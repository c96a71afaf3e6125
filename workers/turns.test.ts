import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

describe('Turns', () => {
  it('costs nothing while the turn has time left, and then gives timers theirs, one waiter at a time', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    expect(turns.next()).toBeNull();
    now = 50;
    const order: string[] = [];
    const waiters = ['a', 'b', 'c'].map(async (name) => {
      await turns.next();
      order.push(name);
    });
    const immediates = ['1', '2'].map(
      (name) =>
        new Promise<void>((resolve) => {
          setImmediate(() => {
            order.push(name);
            resolve();
          });
        }),
    );
    await Promise.all([...waiters, ...immediates]);
    expect(order).toEqual(['a', '1', '2', 'b', 'c']);
    expect(turns.next()).toBeNull();
  });

  it('lets a timer in while a busy loop goes on', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    for (let step = 0; step < 1_000_000 && !fired; step++) {
      now += 5;
      await turns.next();
    }
    expect(fired).toBe(true);
  });
});
