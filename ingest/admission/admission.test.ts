/** Who is let in: shares of the room, turns, quotas, and how much is remembered of whom. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemTime } from '#bus/mod.ts';
import { connectTo } from '../sockets.fixture.ts';
import { Admission, ConnectionLimit, FairTurns, HeldBytes, parseRates, Quotas, shareOf } from './mod.ts';

describe('fair shares', () => {
  it('leave room for whoever holds nothing, however much the others want', () => {
    const held = new HeldBytes();
    const take = (source: string): boolean => {
      if (shareOf(held.of(source), 10, held.total, 1_000) !== 'fits') return false;
      held.add(source, 10);
      return true;
    };
    while (take('noisy'));
    expect(held.of('noisy')).toBe(500);
    expect(take('quiet')).toBe(true);
    for (let i = 0; i < 100; i++) for (const source of ['noisy', 'b', 'c']) take(source);
    // Who came first holds what it has; of what is left nobody gets more than is left after it.
    expect(held.total).toBeLessThan(1_000);
    expect(take('newcomer')).toBe(true);
    expect(shareOf(held.of('noisy'), 10, held.total, 1_000)).toBe('over');
  });

  it('of equals are equal', () => {
    const held = new HeldBytes();
    for (let round = 0; round < 1_000; round++)
      for (const source of ['a', 'b', 'c'])
        if (shareOf(held.of(source), 1, held.total, 1_000) === 'fits') held.add(source, 1);
    for (const source of ['a', 'b', 'c']) expect(held.of(source)).toBe(250);
  });

  it('tell nobody else apart from nobody', () => {
    expect(shareOf(600, 10, 600, 1_000)).toBe('full');
    expect(shareOf(600, 10, 700, 1_000)).toBe('over');
    expect(shareOf(0, 400, 700, 1_000)).toBe('full');
  });

  it('are kept for so many sources, the others share one', () => {
    const held = new HeldBytes(3);
    for (let i = 0; i < 10; i++) held.add(held.nameOf(`s${i}`), 5);
    expect(held.of('s9')).toBeGreaterThan(5);
    expect(held.sources).toBeLessThanOrEqual(4);
    const before = held.total;
    const name = held.nameOf('s5');
    held.add(name, 7);
    held.add(name, -7);
    expect(held.total).toBe(before);
    expect(held.take().size).toBeLessThanOrEqual(4);
    expect(held.of('s1')).toBe(0);
  });
});

describe('fair turns', () => {
  it('put one request of a quiet source before the queue of a noisy one', async () => {
    const turns = new FairTurns(systemTime);
    const order: string[] = [];
    const busy = (): void => {
      const untilMs = Date.now() + 5;
      while (Date.now() < untilMs);
    };
    const done = Array.from({ length: 10 }, (_, i) =>
      turns.run('noisy', () => {
        busy();
        order.push(`noisy ${i}`);
      }),
    );
    done.push(turns.run('quiet', () => void order.push('quiet')));
    await Promise.all(done);
    expect(order.indexOf('quiet')).toBe(1);
    expect(order.filter((name) => name !== 'quiet')).toEqual(Array.from({ length: 10 }, (_, i) => `noisy ${i}`));
    expect(turns.waiting).toBe(0);
  });

  it('reject with what the work throws, and go on', async () => {
    const turns = new FairTurns(systemTime);
    const bad = turns.run('a', () => {
      throw new Error('no');
    });
    const good = turns.run('a', () => 7);
    await expect(bad).rejects.toThrow('no');
    expect(await good).toBe(7);
  });
});

describe('quotas', () => {
  it('are read from text, the first pattern that fits counts', () => {
    expect(parseRates(' web-*=500,1000000; *=2000 ')).toEqual([
      { pattern: 'web-*', records: 500, bytes: 1_000_000 },
      { pattern: '*', records: 2_000, bytes: 0 },
    ]);
    expect(parseRates('')).toEqual([]);
    expect(() => parseRates('web=many')).toThrow('"web=many" is no quota');
    const quotas = new Quotas(parseRates('a.c=1;*=1000'));
    quotas.charge('abc', 500, 0, 0);
    quotas.charge('a.c', 500, 0, 0);
    expect([quotas.waitMs('abc', 0), quotas.waitMs('a.c', 0)]).toEqual([0, 499_000]);
  });

  it('let go again when the bucket is filled, at the rate', () => {
    const quotas = new Quotas(parseRates('*=100,10000'));
    quotas.charge('a', 200, 1_000, 0);
    expect(quotas.waitMs('a', 0)).toBe(10);
    expect(quotas.waitMs('a', 10)).toBe(0);
    quotas.charge('a', 1, 30_000, 10);
    expect(quotas.waitMs('a', 10)).toBeGreaterThan(1_000);
    expect([...quotas.overdrawn(10)]).toEqual(['a']);
    expect(quotas.waitMs('a', 1_200)).toBe(0);
    // An idle hour gives two seconds' worth.
    quotas.charge('a', 200, 0, 3_600_000);
    expect(quotas.waitMs('a', 3_600_000)).toBe(10);
  });

  it('remember so many names', () => {
    const quotas = new Quotas(parseRates('*=100'), 50);
    for (let i = 0; i < 1_000; i++) quotas.charge(`s${i}`, 1, 1, i);
    expect(quotas.size).toBeLessThanOrEqual(50);
  });
});

describe('admission', () => {
  const roomy = { share: () => 'fits' as const };
  const options = { bytesMax: 1_000, records: roomy, sources: new Quotas([]), services: new Quotas([]), now: () => 0 };

  it('refuses whoever holds most first, and counts why', () => {
    const admission = new Admission(options);
    admission.hold('quiet', 10);
    const release = admission.hold('noisy', 600);
    expect(() => admission.check('noisy', 100)).toThrow(expect.objectContaining({ code: 'SHARE_EXCEEDED' }));
    admission.check('quiet', 100);
    admission.check('new', 100);
    expect(() => admission.check('new', 500)).toThrow(expect.objectContaining({ code: 'NATS_UNAVAILABLE' }));
    release();
    admission.check('noisy', 100);
    expect(admission.refused).toEqual({ full: 1, share: 1, sourceQuota: 0, serviceQuota: 0 });
  });

  it('says when to come again', () => {
    const sources = new Quotas(parseRates('*=100'));
    const admission = new Admission({ ...options, sources });
    admission.charge('a', 500, 1, null);
    expect(() => admission.check('a', 1)).toThrow(
      expect.objectContaining({ code: 'QUOTA_EXCEEDED', retryAfterMs: 3_010 }),
    );
  });
});

describe('connections of HTTP ports', () => {
  it('are bounded in all and by address', async () => {
    const limit = new ConnectionLimit(10, 2);
    const server = createServer();
    limit.attach(server);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const sockets = await Promise.all([connectTo(port), connectTo(port)]);
    const third = await connectTo(port);
    third.on('error', () => {});
    await new Promise((resolve) => third.once('close', resolve));
    expect([limit.now, limit.refused]).toEqual([2, 1]);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => limit.now).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});
