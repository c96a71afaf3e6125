import { describe, expect, it } from 'vitest';
import type { Time } from '#bus/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import { Books, piecesOf } from './books.ts';

/** Time that passes only while somebody sleeps. */
function idleTime(): Time {
  let nowMs = 0;
  return {
    now: () => nowMs,
    after: (ms, run) => {
      nowMs += ms;
      setImmediate(run);
      return () => {};
    },
    every: () => () => {},
    soon: (run) => setImmediate(run),
  };
}

const away = (): LogweirError => new LogweirError('CLICKHOUSE_UNAVAILABLE', 'read ECONNRESET', 'Wait.');

describe('questions about all that is stored', () => {
  it('are asked again while the server is away, and given up in the end', async () => {
    let failures = 5;
    const query = async (): Promise<Uint8Array> => {
      if (failures-- > 0) throw away();
      return Buffer.from('1\tx\n2\ty\n');
    };
    expect(await new Books({ query }, idleTime()).rows('SELECT')).toEqual([
      ['1', 'x'],
      ['2', 'y'],
    ]);
    failures = Number.POSITIVE_INFINITY;
    await expect(new Books({ query }, idleTime()).rows('SELECT')).rejects.toThrow('ECONNRESET');
  });

  it('are asked once where they are refused', async () => {
    let asked = 0;
    const query = (): Promise<Uint8Array> => {
      asked++;
      return Promise.reject(new LogweirError('QUERY_FAILED', 'no such table', 'Look.'));
    };
    await expect(new Books({ query }, idleTime()).rows('SELECT')).rejects.toThrow('no such table');
    expect(asked).toBe(1);
  });

  it('are cut by days and rows', () => {
    const days = Array.from({ length: 5 }, (_, n) => ({ day: `2026-01-0${n + 1}`, rows: n === 3 ? 90 : 10 }));
    expect(piecesOf(days, { rows: 50, days: 2 })).toEqual([
      { from: '2026-01-01', to: '2026-01-02' },
      { from: '2026-01-03', to: '2026-01-03' },
      { from: '2026-01-04', to: '2026-01-04' },
      { from: '2026-01-05', to: '2026-01-05' },
    ]);
    expect(piecesOf([])).toEqual([]);
  });
});
