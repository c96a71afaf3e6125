import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/mod.ts';
import { admit, GoBackN, type Mark, startMark } from './mod.ts';

const header = (from: number, to: number, generation = 0) => ({ partition: 1, generation, from, to });

describe('admit (R3)', () => {
  const mark: Mark = { generation: 1, sequence: 10, parts: 0 };

  it('drops what lies under the mark, refuses what leaves a gap', () => {
    expect(admit(mark, header(5, 10, 1)).verdict).toBe('duplicate');
    expect(admit(mark, header(0, 99, 0)).verdict).toBe('duplicate');
    expect(admit(mark, header(11, 12, 1)).verdict).toBe('gap');
  });

  it('takes the rest of an overlap', () => {
    expect(admit(mark, header(4, 13, 1))).toEqual({
      verdict: 'take',
      above: 10,
      mark: { generation: 1, sequence: 13, parts: 0 },
    });
  });

  it('starts over with a new generation', () => {
    expect(admit(mark, header(0, 3, 2))).toMatchObject({
      verdict: 'take',
      above: 0,
      mark: { generation: 2, sequence: 3 },
    });
    expect(admit(mark, header(2, 3, 2)).verdict).toBe('gap');
  });

  it('takes parts in order, once', () => {
    const part = (index: number, last: boolean) => ({ index, last });
    const one = admit(mark, header(10, 12, 1), part(0, false));
    if (one.verdict !== 'take-part') throw new Error(one.verdict);
    expect(one.mark).toEqual({ generation: 1, sequence: 10, parts: 1 });
    expect(admit(one.mark, header(10, 12, 1), part(0, false)).verdict).toBe('duplicate');
    expect(admit(one.mark, header(10, 12, 1), part(2, true)).verdict).toBe('gap');
    expect(admit(one.mark, header(10, 12, 1), part(1, true))).toMatchObject({ mark: { sequence: 12, parts: 0 } });
  });
});

describe('GoBackN', () => {
  /** A stream that fails some publishes, some of them after having stored the message (a lost acknowledgement). */
  it('leaves a stream from which the chain rule reads every message once and in order, whatever fails', async () => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed / 0x7fffffff;
    };
    const stored: number[] = [];
    const publisher = new GoBackN({
      publish: async (_subject, data) => {
        await Promise.resolve();
        const fate = random();
        if (fate < 0.15) throw new LogweirError('NATS_UNAVAILABLE', 'lost', 'again');
        stored.push(data[0] as number);
        if (fate < 0.3) throw new LogweirError('TIMEOUT', 'stored, but the acknowledgement was lost', 'again');
      },
      sleep: async () => {},
      window: 8,
      queueBytesMax: 64,
    });
    const sends: Promise<void>[] = [];
    for (let i = 1; i <= 200; i++) sends.push(publisher.send('results.1', new Uint8Array([i])));
    await Promise.all(sends);
    await publisher.idle();
    let mark = startMark;
    const read: number[] = [];
    for (const value of stored) {
      const admission = admit(mark, header(value - 1, value));
      if (admission.verdict !== 'take') continue;
      mark = admission.mark;
      read.push(value);
    }
    expect(read).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(stored.length).toBeGreaterThan(200);
    expect(publisher.queuedBytes).toBe(0);
  });

  it('makes callers wait for room', async () => {
    const acks: (() => void)[] = [];
    const publisher = new GoBackN({
      publish: () => new Promise<void>((resolve) => acks.push(resolve)),
      sleep: async () => {},
      window: 2,
      queueBytesMax: 3,
    });
    for (let i = 0; i < 4; i++) void publisher.send('results.1', new Uint8Array(1));
    let room = false;
    void publisher.room().then(() => {
      room = true;
    });
    await Promise.resolve();
    expect({ room, inFlight: acks.length }).toEqual({ room: false, inFlight: 2 });
    acks[0]?.();
    acks[1]?.();
    await expect.poll(() => room).toBe(true);
    publisher.stop();
  });
});
