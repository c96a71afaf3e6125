import { describe, expect, it } from 'vitest';
import { parseAlertingConfig } from './config/mod.ts';
import { rehearse } from './rehearsal.ts';
import { finding, startMs } from './testing/fixtures.ts';

const minuteMs = 60_000;
const at = (minute: number, over: object = {}) => {
  const ms = startMs + minute * minuteMs;
  const { anomaly } = finding({ anomalyId: `a${minute}`, startMs: ms, endMs: ms + 30_000, decidedAtMs: ms, ...over });
  return { anomaly, streamMs: ms };
};
const config = (over: object = {}) =>
  parseAlertingConfig({ channels: [{ name: 'ops', type: 'webhook', url: 'http://127.0.0.1:9/' }], ...over });

describe('rehearse', () => {
  it('fires, folds repeats, and fires again after an alert was resolved in the quiet between', () => {
    const { alerts, notifications } = rehearse([at(0), at(2), at(30), at(31, { score: 20, subject: 'x' })], config());
    expect(alerts.map(({ anomaly, suppressedBy }) => [anomaly.anomalyId, suppressedBy])).toEqual([
      ['a0', ''],
      ['a30', ''],
    ]);
    // Each fires and is resolved; what a channel hears at the end of the range is part of it.
    expect(notifications).toEqual([{ day: '2030-01-01', channel: 'ops', count: 4 }]);
  });

  it('fires once for a finding whose versions are further apart than alerts stay quiet', () => {
    const versions = [0, 10, 20, 30].map((minute) => at(minute, { anomalyId: 'creep', open: minute < 30 }));
    const { alerts, notifications } = rehearse([...versions, at(60)], config());
    expect(alerts.map(({ anomaly }) => anomaly.anomalyId)).toEqual(['creep', 'a60']);
    expect(notifications).toEqual([{ day: '2030-01-01', channel: 'ops', count: 4 }]);
  });

  it('keeps to silences and to what is said of files read later', () => {
    const silences = [{ name: 'night', match: { service: 'checkout' }, until: '2030-01-01T12:10:00Z' }];
    const found = [at(0), at(20), at(40, { lane: 'ingest-1', service: 'web' })];
    const { alerts } = rehearse(found, config({ silences }));
    expect(alerts.map(({ suppressedBy }) => suppressedBy)).toEqual(['silence:night', '', 'lane']);
  });

  it('gives incidents of several services as they ended', () => {
    const { incidents } = rehearse(
      [at(0), at(0, { anomalyId: 'b', service: 'web', samples: ['req 4bf92f3577b34da6a3ce929d0e0e4736'] })],
      config(),
    );
    expect(incidents.flatMap(({ services }) => services).sort()).toEqual(['checkout', 'web']);
  });

  it('is the same for the same findings, and nothing for none', () => {
    const found = [at(0), at(3), at(9)];
    expect(JSON.stringify(rehearse(found, config()))).toBe(JSON.stringify(rehearse(found, config())));
    expect(rehearse([], config())).toEqual({ alerts: [], notifications: [], incidents: [] });
  });
});
