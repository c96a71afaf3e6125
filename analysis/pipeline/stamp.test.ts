import { describe, expect, it } from 'vitest';
import { stampFormat } from './stamp-format.ts';
import { line, now, run, compiled, steps } from './testing.fixture.ts';
import { zoneOf } from './zone.ts';

const read = (format: string, text: string, zone?: string): string | null => {
  const stamp = stampFormat(format, 'p').read(text, now, zone === undefined ? null : zoneOf(zone, 'z'));
  return stamp === null ? null : `${new Date(stamp.timeMs).toISOString()}${stamp.subNs === 0 ? '' : `+${stamp.subNs}`}`;
};

describe('formats', () => {
  it.each([
    ['%d/%m/%Y %H:%M:%S', '02/05/2026 03:04:05', '2026-05-02T03:04:05.000Z'],
    ['%d.%m.%y %k:%M', '2.5.26  3:04', '2026-05-02T03:04:00.000Z'],
    ['%Y%m%d%H%M%S', '20260502030405', '2026-05-02T03:04:05.000Z'],
    ['%b %e, %Y %I:%M:%S %p', 'May  2, 2026 12:04:05 AM', '2026-05-02T00:04:05.000Z'],
    ['%A, %d %B %Y %T.%f %z', 'Saturday, 02 May 2026 03:04:05.123456789 +0200', '2026-05-02T01:04:05.123Z+456789'],
    ['%FT%T%z', '2026-05-02T03:04:05Z', '2026-05-02T03:04:05.000Z'],
    ['%Y-%j', '2026-122', '2026-05-02T00:00:00.000Z'],
    ['%s.%f', '1777691045.25', '2026-05-02T03:04:05.250Z'],
    ['%d %b %H:%M %Z', '02 May 03:04 CEST', '2026-05-02T01:04:00.000Z'],
    ['dd/MM/yyyy HH:mm:ss,SSS', '02/05/2026 03:04:05,678', '2026-05-02T03:04:05.678Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '2026-05-02T03:04:05.678-05:00', '2026-05-02T08:04:05.678Z'],
    ['EEE MMM d HH:mm:ss z yyyy', 'Sat May 2 03:04:05 EST 2026', '2026-05-02T08:04:05.000Z'],
    ['yyyyMMddHHmmssSSS', '20260502030405678', '2026-05-02T03:04:05.678Z'],
    ['h:mm a', '3:04 pm', '2026-05-02T15:04:00.000Z'],
    ['iso', '2026-05-02 03:04:05', '2026-05-02T03:04:05.000Z'],
    ['epoch', '1777691045', '2026-05-02T03:04:05.000Z'],
    ['epoch', '1777691045678901234', '2026-05-02T03:04:05.678Z+901234'],
    ['epoch_us', '1777691045678901', '2026-05-02T03:04:05.678Z+901000'],
    ['epoch_s', '1777691045.5', '2026-05-02T03:04:05.500Z'],
  ])('%s on %s', (format, text, expected) => {
    expect(read(format, text)).toBe(expected);
  });

  it.each([
    ['%d/%m/%Y', '31/02/2026'],
    ['%d/%m/%Y', '02/05/2026 x'],
    ['%H:%M', '25:00'],
    ['%I %p', '13 PM'],
    ['yyyy', '99'],
    ['epoch_ms', '1e9'],
    ['epoch', '99999999999999999999'],
    ['%Y', `2026${' '.repeat(300)}`],
  ])('%s does not fit %s', (format, text) => {
    expect(read(format, text)).toBeNull();
  });

  it.each([
    ['%d %Q', '%Q means nothing'],
    ['yyyy-bb', 'bb means nothing'],
    ["yyyy 'T", 'a quote does not end'],
  ])('%s is refused', (format, message) => {
    expect(() => stampFormat(format, 'p')).toThrow(message);
  });
});

describe('years and days that are left out', () => {
  it.each([
    ['%b %d %H:%M:%S', 'Dec 31 23:59:59', '2025-12-31T23:59:59.000Z'],
    ['%b %d %H:%M:%S', 'May 04 11:00:00', '2026-05-04T11:00:00.000Z'],
    ['%b %d %H:%M:%S', 'May 05 00:00:00', '2025-05-05T00:00:00.000Z'],
    ['%b %d', 'Feb 29', '2024-02-29T00:00:00.000Z'],
    ['%H:%M', '12:30', '2026-05-03T12:30:00.000Z'],
    ['%H:%M', '13:30', '2026-05-02T13:30:00.000Z'],
  ])('%s: %s', (format, text, expected) => {
    expect(read(format, text)).toBe(expected);
  });
});

describe('zones', () => {
  it.each([
    ['Europe/Berlin', '2026-01-15 12:00:00', '2026-01-15T11:00:00.000Z'],
    ['Europe/Berlin', '2026-07-15 12:00:00', '2026-07-15T10:00:00.000Z'],
    // Skipped: moved on by the gap.
    ['Europe/Berlin', '2026-03-29 02:30:00', '2026-03-29T01:30:00.000Z'],
    // There twice: the first.
    ['Europe/Berlin', '2026-10-25 02:30:00', '2026-10-25T00:30:00.000Z'],
    ['Europe/Berlin', '2026-10-25 03:00:00', '2026-10-25T02:00:00.000Z'],
    ['America/New_York', '2026-03-08 01:59:59', '2026-03-08T06:59:59.000Z'],
    ['America/New_York', '2026-03-08 03:00:00', '2026-03-08T07:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-04-05 01:45:00', '2026-04-04T14:45:00.000Z'],
    ['Asia/Kathmandu', '2026-05-02 05:45:00', '2026-05-02T00:00:00.000Z'],
    ['+05:30', '2026-05-02 05:30:00', '2026-05-02T00:00:00.000Z'],
    ['UTC', '2026-05-02 05:30:00', '2026-05-02T05:30:00.000Z'],
  ])('%s %s', (zone, text, expected) => {
    expect(read('%Y-%m-%d %H:%M:%S', text, zone)).toBe(expected);
  });

  it('refuses what is none', () => {
    expect(() => zoneOf('Europe/Atlantis', 'pipeline.steps[0].timestamp.zone')).toThrow(
      'pipeline.steps[0].timestamp.zone is "Europe/Atlantis", which is no time zone.',
    );
  });
});

describe('the step', () => {
  it('takes the time of a field that would have had a role, and lets it go', () => {
    const { record, fields } = line(
      [
        { parse: '^(?<timestamp>\\S+ \\S+) %{GREEDYDATA:message}' },
        { timestamp: { field: 'timestamp', formats: ['%d/%m/%Y %H:%M'], zone: 'Europe/Berlin' } },
      ],
      '03/02/2026 12:00 hot',
    );
    expect(new Date(record.timeMs ?? 0).toISOString()).toBe('2026-02-03T11:00:00.000Z');
    expect(fields).toEqual({});
  });

  it('leaves what is no time', () => {
    const ran = steps([{ timestamp: { field: 'at', formats: 'epoch', onMiss: 'dead' } }], {
      attributes: ['at', 'noon'],
    });
    expect(ran.outcome).toMatchObject({ kind: 'dead', reason: 'no time' });
    expect(ran.fields).toEqual({ at: 'noon' });
  });

  it('puts stamps without a zone into one, and leaves others', () => {
    const pipeline = compiled({ steps: [{ timestamp: { zone: 'Europe/Berlin' } }] });
    const timeMs = Date.UTC(2026, 6, 1, 12);
    expect(run(pipeline, { timeMs, zoneAssumedMinutes: 0 }).record.timeMs).toBe(timeMs - 7_200_000);
    expect(run(pipeline, { timeMs: timeMs - 3_600_000, zoneAssumedMinutes: 60 }).record.timeMs).toBe(
      timeMs - 7_200_000,
    );
    expect(run(pipeline, { timeMs }).record.timeMs).toBe(timeMs);
  });
});
