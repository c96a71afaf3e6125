import { describe, expect, it } from 'vitest';
import type { Report } from '#storage/queries/mod.ts';
import { renderReport } from './report-view.ts';

const report: Report = {
  range: { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 0, 2) },
  totalLogs: 1_234_567,
  windows: 2_880,
  errorWindows: 12,
  services: [{ service: 'checkout', logs: 1_000_000, errors: 10, warns: 5, anomalies: 2, lastSeenMs: 0 }],
  severities: { UNKNOWN: 0, TRACE: 0, DEBUG: 0, INFO: 1_234_000, WARN: 500, ERROR: 67, FATAL: 0 },
  templates: [{ template: `GET ${'x'.repeat(200)}`, service: 'checkout', count: 900_000 }],
  patterns: [{ detector: 'sequence_match', subject: 'login-fail', count: 3 }],
  anomalies: [
    {
      id: 'a',
      service: 'checkout',
      lane: 'live',
      detector: 'error_spike',
      subject: '',
      startMs: Date.UTC(2026, 0, 1, 12),
      endMs: 0,
      decidedAtMs: 0,
      score: 87.4,
      actual: 9,
      typical: 1,
      description: 'Nine times as many errors as usual.',
      revised: false,
      open: false,
    },
  ],
  anomaliesTotal: 2,
  incidents: [
    {
      id: 'i1',
      state: 'open',
      mergedInto: '',
      lane: 'live',
      title: 'db first, then web',
      description: 'db first (10:00:00–10:00:30), then web; worst: db error_spike 97',
      startedMs: Date.UTC(2026, 0, 2, 10),
      changedMs: 0,
      endedMs: 0,
      score: 97,
      worstAnomalyId: 'a',
      firstMover: 'db',
      services: ['db', 'web'],
      ranks: [0, 1],
    },
  ],
};

describe('report', () => {
  it('tells the story from top to bottom', () => {
    const text = renderReport(report);
    expect(text).toContain(
      '\nIncidents\n  2026-01-02 10:00:00   97  open    db first (10:00:00–10:00:30), then web; worst',
    );
    expect(text).toContain('1,234,567 logs from 2026-01-01 00:00:00 to 2026-01-02 00:00:00 UTC');
    expect(text).toContain('2,880 windows, 12 of them with errors; 2 anomalies');
    expect(text).toMatch(/checkout {2}1,000,000 {6}10 {9}5 {10}2/);
    expect(text.indexOf('ERROR')).toBeLessThan(text.indexOf('WARN'));
    expect(text).not.toContain('FATAL');
    expect(text).toContain('sequence_match  login-fail  3');
    expect(text).toContain('2026-01-01 12:00:00   87  checkout  Nine times as many errors as usual.');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(130);
  });

  it('says when there is nothing', () => {
    expect(renderReport({ ...report, totalLogs: 0 })).toBe('Nothing is stored in that time.\n');
  });
});
