import { describe, expect, it } from 'vitest';
import { type Anomaly, RecordView, viewOf } from '#protocol/mod.ts';
import { IncidentFold } from './detect-incidents.ts';

const fromMs = Date.UTC(2026, 0, 5, 12);
const view = new RecordView();

describe('IncidentFold', () => {
  it('tells each anomaly once, as soon as its records are read, and gives its last state at the end', () => {
    const told: Anomaly[] = [];
    const fold = new IncidentFold((anomaly) => void told.push(anomaly));
    const add = (timeMs: number, severityNumber: number, body: string): void =>
      fold.add(
        viewOf({ timeMs, severityNumber, severityText: '', body }, { observedMs: timeMs, service: 'shop' }, view),
      );
    let toldAtMs = 0;
    for (let ms = 0; ms < 40 * 60_000; ms += 200) {
      add(fromMs + ms, 9, `request ${ms} served in ${20 + (ms % 7)} ms`);
      if (ms % 60_000 === 0) add(fromMs + ms, 17, `connection to 10.0.0.${ms % 255} refused`);
      if (ms >= 25 * 60_000 && ms < 29 * 60_000) add(fromMs + ms, 17, `connection to 10.0.0.${ms % 255} refused`);
      if (told.length > 0 && toldAtMs === 0) toldAtMs = ms;
    }
    expect(told.map(({ detector }) => detector)).toEqual(['error_spike']);
    expect(toldAtMs - 25 * 60_000).toBeLessThan(30_000);
    const [first] = told;
    const last = fold.end();
    expect(last).toHaveLength(1);
    expect(last[0]).toMatchObject({ anomalyId: first?.anomalyId, service: 'shop', detector: 'error_spike' });
    expect(last[0]?.endMs).toBeGreaterThan(first?.endMs as number);
    expect(last[0]?.description).toMatch(
      /^errors 5\/s against a typical 0\.0\d+\/s for 4 min since 12:25:00 UTC; 100 % are 'connection to .+ refused', first seen 12:00:00 UTC$/,
    );
  });
});
