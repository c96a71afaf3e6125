import { describe, expect, it } from 'vitest';
import { systemTime } from '#bus/mod.ts';
import { Turns } from './turns.ts';

describe('Turns', () => {
  it('costs nothing while the turn has time left, and then gives timers theirs', async () => {
    let now = 0;
    let step = 0;
    const turns = new Turns({
      ...systemTime,
      now: () => {
        now += step;
        return now;
      },
    });
    expect(turns.next()).toBeNull();
    now = 50;
    // Every look at the clock finds a turn's time used up.
    step = 10;
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
    step = 0;
    expect(turns.next()).toBeNull();
  });

  it('wakes all who wait in one turn where there is time for them', async () => {
    let now = 0;
    const turns = new Turns({ ...systemTime, now: () => now });
    now = 50;
    const order: string[] = [];
    const waiters = ['a', 'b', 'c'].map(async (name) => {
      await turns.next();
      order.push(name);
    });
    const later = new Promise<void>((resolve) => {
      setImmediate(() => setImmediate(resolve));
    }).then(() => order.push('later'));
    await Promise.all([...waiters, later]);
    expect(order).toEqual(['a', 'b', 'c', 'later']);
  });

  it('lets a timer in while a busy loop goes on', async () => {
    let now = 0;
    const turns = new Turns({ ...systemTime, now: () => now });
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
