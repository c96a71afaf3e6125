import { describe, expect, it } from 'vitest';
import { DeadLetterSink, MemoryBus, openDeadStream, removeDeadLetter, systemTime } from '#bus/mod.ts';
import { deadDesk } from './dead-desk.ts';

describe('the desk of dead letters', () => {
  it('counts by reason over time, pages, and opens one', async () => {
    let nowMs = 1_700_000_000_000;
    const bus = new MemoryBus(() => nowMs);
    await openDeadStream(bus, { bytesMax: 1e7, maxAgeMs: 86_400_000, replicas: 1 });
    const sink = new DeadLetterSink(bus, { ...systemTime, now: () => nowMs }, 'test');
    const put = async (reason: 'malformed' | 'too_long', bytes: string): Promise<void> => {
      sink.put({
        reason,
        detail: 'd',
        receiver: 'gelf',
        source: 's',
        service: '',
        atMs: nowMs,
        bytes: Buffer.from(bytes),
      });
      await sink.settle();
    };
    const desk = deadDesk(bus, () => nowMs);
    const range = { fromMs: nowMs, toMs: nowMs + 180_000 };
    await put('malformed', 'one');
    nowMs += 60_000;
    await put('malformed', 'two \u001b[2J and more text');
    await put('too_long', 'three');
    expect(await desk.kinds({ range }, 60_000)).toEqual([
      { reason: 'malformed', receiver: 'gelf', count: 2, steps: [1, 1, 0] },
      { reason: 'too_long', receiver: 'gelf', count: 1, steps: [0, 1, 0] },
    ]);
    const first = await desk.letters({ range }, { limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual(['3', '2']);
    expect(first.items[1]?.line).toBe('two \\x1b[2J and more text');
    const second = await desk.letters({ range }, { limit: 2, after: first.next as string });
    expect([second.items.map(({ id }) => id), second.next]).toEqual([['1'], null]);
    expect(await desk.letter('2')).toMatchObject({ kind: 'text', bytesMore: 0, canRetry: false });
    await removeDeadLetter(bus, 2);
    expect(await desk.letter('2')).toBeNull();
    expect(await desk.letter('no-number')).toBeNull();
    nowMs += 60_000;
    await put('too_long', 'four');
    expect((await desk.letters({ range, reason: 'too_long' }, { limit: 9 })).items.map(({ id }) => id)).toEqual([
      '4',
      '3',
    ]);
  });
});
