import { describe, expect, it } from 'vitest';
import { daysFromCivil, yearOf } from './civil.ts';
import { TimeScanner } from './time.ts';

const observedMs = Date.UTC(2026, 10, 21, 12);

function scan(text: string, offset = 0, observed = observedMs): string {
  const time = new TimeScanner(observed, offset);
  const end = time.scan(text, 0);
  if (end < 0) return 'none';
  return `${new Date(time.timeMs).toISOString()}${time.subNs === 0 ? '' : `+${time.subNs}`}${text.slice(end) === '' ? '' : `|${text.slice(end)}`}`;
}

describe('civil', () => {
  it('agrees with Date over two centuries', () => {
    for (let day = -3000; day < 60_000; day += 17) {
      const date = new Date(day * 86_400_000);
      expect(daysFromCivil(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).toBe(day);
      expect(yearOf(date.getTime())).toBe(date.getUTCFullYear());
    }
  });
});

describe('TimeScanner', () => {
  it.each([
    ['2026-05-02T03:04:05Z', '2026-05-02T03:04:05.000Z'],
    ['2026-05-02T03:04:05.123456789Z rest', '2026-05-02T03:04:05.123Z+456789| rest'],
    ['2026-05-02 03:04:05,123 rest', '2026-05-02T03:04:05.123Z| rest'],
    ['2026-05-02T03:04:05+02:00', '2026-05-02T01:04:05.000Z'],
    ['2026-05-02T03:04:05-0530', '2026-05-02T08:34:05.000Z'],
    ['2026-05-02 03:04:05 +0200 x', '2026-05-02T01:04:05.000Z| x'],
    ['2026-05-02 03:04:05 CEST x', '2026-05-02T01:04:05.000Z| x'],
    ['2026-05-02 03:04:05 - x', '2026-05-02T03:04:05.000Z| - x'],
    ['2026-05-02 03:04 x', '2026-05-02T03:04:00.000Z| x'],
    ['2026/05/02 03:04:05.5', '2026-05-02T03:04:05.500Z'],
    ['2026-05-02-03.04.05.123456', '2026-05-02T03:04:05.123Z+456000'],
    ['20260502-3:4:5:67|', '2026-05-02T03:04:05.067Z||'],
    ['20260502T030405Z', '2026-05-02T03:04:05.000Z'],
    ['260502 030405', '2026-05-02T03:04:05.000Z'],
    ['260502  3:04:05', '2026-05-02T03:04:05.000Z'],
    ['26/05/02 03:04:05', '2026-05-02T03:04:05.000Z'],
    ['05/23/2026 03:04:05 PM', '2026-05-23T15:04:05.000Z'],
    ['23/05/2026 12:04:05 AM', '2026-05-23T00:04:05.000Z'],
    ['23.05.2026 03:04:05', '2026-05-23T03:04:05.000Z'],
    ['02/May/2026:03:04:05 +0200]', '2026-05-02T01:04:05.000Z|]'],
    ['02-May-2026 03:04:05.678', '2026-05-02T03:04:05.678Z'],
    ['2 May 2026 03:04:05', '2026-05-02T03:04:05.000Z'],
    ['Sat May  2 03:04:05 2026]', '2026-05-02T03:04:05.000Z|]'],
    ['Sat May  2 03:04:05 UTC 2026', '2026-05-02T03:04:05.000Z'],
    ['Sat, 02 May 2026 03:04:05 GMT', '2026-05-02T03:04:05.000Z'],
    ['May  2 03:04:05 x', '2026-05-02T03:04:05.000Z| x'],
    ['05-02 03:04:05.678', '2026-05-02T03:04:05.678Z'],
    ['1777691045', '2026-05-02T03:04:05.000Z'],
    ['1777691045.678901', '2026-05-02T03:04:05.678Z+901000'],
    ['1777691045678', '2026-05-02T03:04:05.678Z'],
    ['1777691045678901234', '2026-05-02T03:04:05.678Z+901234'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['2099-12-31 23:59:59', '2099-12-31T23:59:59.000Z'],
  ])('reads %s', (text, expected) => {
    expect(scan(text)).toBe(expected);
  });

  it.each([
    '2026-02-30 03:04:05',
    '2026-13-01 03:04:05',
    '2026-05-02 25:04:05',
    '2026-05-02',
    '10.0.0.1',
    '1.2.3',
    '12:30',
    '1234',
    '123456',
    'May the 4th',
    'Sat',
    '2026-05-02T03:04:05abc',
    '1969-12-31T23:59:59+01:00',
    '2200-01-01 00:00:00',
    '',
    '99/99/99 99:99:99',
    'Feb 30 01:02:03',
  ])('does not read %s', (text) => {
    expect(scan(text)).toBe('none');
  });

  it('puts a stamp without year at most a day after the observed time', () => {
    expect(scan('Nov 22 11:00:00')).toBe('2026-11-22T11:00:00.000Z');
    expect(scan('Nov 22 13:00:00')).toBe('2025-11-22T13:00:00.000Z');
    expect(scan('Dec 31 23:59:59', 0, Date.UTC(2027, 0, 1))).toBe('2026-12-31T23:59:59.000Z');
    expect(scan('Jan  1 00:00:10', 0, Date.UTC(2026, 11, 31, 23, 59))).toBe('2027-01-01T00:00:10.000Z');
    expect(scan('Feb 29 10:00:00')).toBe('2024-02-29T10:00:00.000Z');
  });

  it('puts a time without date on the day of the stamp before it', () => {
    const time = new TimeScanner(observedMs);
    time.scan('23:00:00', 0);
    expect(new Date(time.timeMs).toISOString()).toBe('2026-11-20T23:00:00.000Z');
    time.scan('2025-01-02 22:00:00', 0);
    time.scan('23:00:00', 0);
    expect(new Date(time.timeMs).toISOString()).toBe('2025-01-02T23:00:00.000Z');
  });

  it('shifts what names no zone', () => {
    expect(scan('2026-05-02 03:04:05', 120)).toBe('2026-05-02T01:04:05.000Z');
    expect(scan('2026-05-02T03:04:05Z', 120)).toBe('2026-05-02T03:04:05.000Z');
  });

  it('gives the same for the same place again, whatever was read between', () => {
    const time = new TimeScanner(observedMs);
    const text = '2026-05-02 03:04:05.678901 x';
    const end = time.scan(text, 0);
    time.scanField('1970-01-01');
    expect(time.scan(text, 0)).toBe(end);
    expect([time.timeMs, time.subNs]).toEqual([Date.UTC(2026, 4, 2, 3, 4, 5, 678), 901_000]);
  });
});
