import type { Anomaly, IncidentVersion } from '#protocol/mod.ts';
import { describe, expect, it } from 'vitest';
import { finding, startMs } from '../testing/fixtures.ts';
import { nearMs } from './model.ts';
import { advanceIncidents, emptyIncidents, findingsHeld, type IncidentConfig, openIncidents } from './mod.ts';
import { findingsMax } from './types.ts';

const second = 1_000;
const minute = 60 * second;
const config: IncidentConfig = {
  scoreMin: 50,
  memberScoreMin: 25,
  gapMs: 10 * minute,
  spanMs: 30 * minute,
  lateMs: 15 * minute,
  quietMs: 5 * minute,
  openMaxMs: 24 * 60 * minute,
};

/** A finding whose onset lies in [fromS, byS] seconds after the start. */
function at(service: string, fromS: number, byS: number, over: Partial<Anomaly> = {}): Anomaly {
  const [from, by] = [startMs + fromS * second, startMs + byS * second];
  const base = { service, startMs: from, decidedAtMs: by, endMs: by, eventMs: by, samples: [], influencers: [] };
  const description = `41 errors within 60 s, usually 2`;
  return finding({ ...base, anomalyId: `${service}-${fromS}-${over.detector ?? ''}`, description, ...over }).anomaly;
}

class Play {
  state = emptyIncidents();
  rows: IncidentVersion[] = [];

  find(afterS: number, ...anomalies: Anomaly[]): this {
    const done = advanceIncidents(this.state, anomalies, startMs + afterS * second, config);
    this.state = done.state;
    this.rows.push(...done.rows);
    return this;
  }

  /** Each finding when it was decided. */
  all(anomalies: readonly Anomaly[]): this {
    for (const one of anomalies.toSorted((a, b) => a.eventMs - b.eventMs))
      this.find((one.eventMs - startMs) / second, one);
    return this;
  }

  end(afterS: number): this {
    for (let s = 0; s < 45 * 60; s += 5) this.find(afterS + s);
    return this;
  }

  /** The last version of each that is not another's. */
  get final(): IncidentVersion[] {
    return [...new Map(this.rows.map((row) => [row.incidentId, row])).values()].filter(
      ({ state }) => state !== 'merged',
    );
  }

  get services(): string[] {
    return this.final.map(({ services }) => services.join(' ')).sort();
  }
}

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('a standstill', () => {
  it('of all services is one incident that says so, however long it takes to know it of each', () => {
    const silent = (service: string, lastS: number, needS: number, typical: number): Anomaly =>
      at(service, lastS, lastS + needS, { detector: 'silence', typical, description: 'no records for 30 s' });
    const play = new Play().all([
      ...Array.from({ length: 18 }, (_, n) => silent(`busy-${n}`, -n / 10, 30, 5)),
      silent('slow', -8, 80, 0.3),
      silent('slower', -20, 150, 0.1),
    ]);
    const [incident] = play.final;
    expect(play.final).toHaveLength(1);
    expect(incident?.services).toHaveLength(20);
    expect(incident).toMatchObject({ title: '20 services fell silent together' });
    expect(incident?.description).toMatch(
      /^no records of 20 services \(busy-.+ and 14 more\) since 11:59:40, where they stopped within 20 s: look first at /,
    );
  });

  it('of two services, or beside errors, is told like any other incident', () => {
    const silent = (service: string): Anomaly => at(service, 0, 30, { detector: 'silence' });
    expect(new Play().all([silent('a'), silent('b')]).final[0]?.title).toBe('a and b together');
    expect(new Play().all([silent('a'), silent('b'), silent('c'), at('d', 0, 30)]).final[0]?.title).toMatch(
      /together$/,
    );
  });
});

describe('a cascade', () => {
  it('is one incident with its first mover, order, evidence and worst', () => {
    const play = new Play().all([
      at('db', 0, 30, { detector: 'latency_creep', score: 60, samples: [`slow query on db-3 for trace ${trace}`] }),
      at('payments', 60, 90, { score: 80, samples: [`timeout of db-3, trace=${trace}`] }),
      at('web', 75, 105, { score: 97, samples: ['payments answered 502'] }),
    ]);
    const [incident] = play.final;
    expect(play.final).toHaveLength(1);
    expect(incident).toMatchObject({
      firstMover: 'db',
      services: ['db', 'payments', 'web'],
      ranks: [0, 1, 1],
      score: 97,
      state: 'open',
      title: 'db first, then payments and web',
      description:
        'db first (12:00:00–12:00:30 UTC), then payments and web; shared: id 4bf92f3577b3…, host db-3; payments is named by web; worst, score 97: web: 41 errors within 60 s, usually 2',
    });
    expect(incident?.members.map(({ service, onsetFromMs, onsetByMs }) => [service, onsetFromMs, onsetByMs])).toEqual([
      ['db', startMs, startMs + 30 * second],
      ['payments', startMs + 60 * second, startMs + 90 * second],
      ['web', startMs + 75 * second, startMs + 105 * second],
    ]);
    expect(play.end(110).final).toMatchObject([{ state: 'closed', endedMs: startMs + 105 * second }]);
    expect(findingsHeld(play.state)).toBe(0);
    expect(openIncidents(play.state)).toBe(0);
  });

  it('claims no order where onsets overlap', () => {
    const [incident] = new Play().all([at('db', 0, 30), at('payments', 10, 40), at('web', 35, 65)]).final;
    expect(incident).toMatchObject({
      firstMover: '',
      ranks: [0, 0, 0],
      title: 'db, payments and web together',
    });
    // Per-event findings at the same moment are not one after the other either.
    const [same] = new Play().all([at('a', 5, 5), at('b', 5, 5)]).final;
    expect(same).toMatchObject({ firstMover: '', ranks: [0, 0] });
  });

  it('groups a service before it compares services', () => {
    const play = new Play().all([
      at('payments', 0, 0, { detector: 'new_template', score: 55 }),
      at('payments', 0, 30, { detector: 'error_spike', score: 90 }),
      at('payments', 30, 60, { detector: 'rate_zscore', score: 40 }),
    ]);
    expect(play.final).toMatchObject([{ services: ['payments'], title: 'payments: error spike', score: 90, more: 0 }]);
    expect(play.final[0]?.members).toHaveLength(3);
    expect(play.final[0]?.description).toBe('payments: 41 errors within 60 s, usually 2');
  });

  it('takes in a finding that comes late, and withdraws the id it had', () => {
    const samples = ['db-3 refused'];
    const play = new Play().find(90, at('payments', 60, 90, { samples })).find(105, at('web', 75, 105));
    const [before] = play.final;
    play.find(5 * 60, at('db', 0, 30, { samples }));
    expect(play.final).toHaveLength(1);
    expect(play.final[0]).toMatchObject({ firstMover: 'db', services: ['db', 'payments', 'web'] });
    expect(play.rows.findLast(({ incidentId }) => incidentId === before?.incidentId)).toMatchObject({
      state: 'merged',
      mergedInto: play.final[0]?.incidentId,
    });
    // A revised score is a version of the same incident.
    play.find(6 * 60, at('db', 0, 30, { samples, score: 99, revised: true }));
    expect(play.end(6 * 60).final).toMatchObject([{ score: 99, state: 'closed' }]);
  });

  it('is open as long as a finding of it goes on, though nothing more is said', () => {
    const play = new Play().find(0, at('a', 0, 0, { open: true }));
    expect(play.end(60).final).toMatchObject([{ state: 'open' }]);
    const endMs = startMs + 46 * minute;
    play.find(46 * 60, at('a', 0, 0, { open: false, endMs, eventMs: endMs }));
    expect(play.end(46 * 60).final).toMatchObject([{ state: 'closed', endedMs: endMs }]);
  });

  it('is not awaited: what comes after its time was settled stands alone, and is counted', () => {
    const play = new Play()
      .all([at('payments', 60, 90), at('web', 75, 105)])
      .end(105)
      .find(3_600, at('db', 0, 30));
    expect(play.services).toEqual(['db', 'payments web']);
    expect(play.state.totals.late).toBe(1);
  });
});

describe('what is not one incident', () => {
  it('stays apart at the same time where evidence says so', () => {
    const play = new Play().all([
      at('db', 0, 30, { samples: ['disk of db-3 is full'] }),
      at('search', 5, 35, { samples: [`slow: ${trace}`] }),
      at('payments', 40, 70, { samples: ['db-3:5432 refused'] }),
      at('catalog', 45, 75, { samples: [`gave up on ${trace}`] }),
    ]);
    expect(play.services).toEqual(['db payments', 'search catalog']);
  });

  it('is further apart in time than chance allows', () => {
    expect(new Play().all([at('a', 0, 30), at('b', 240, 270)]).services).toEqual(['a', 'b']);
    // Two troubles a minute and a half apart are two.
    expect(new Play().all([at('a', 0, 9), at('b', 90, 92)]).services).toEqual(['a', 'b']);
    // A shared host makes up for that much.
    const samples = ['connection to db-3 refused'];
    expect(new Play().all([at('a', 0, 30, { samples }), at('b', 240, 270, { samples })]).services).toEqual(['a b']);
    // Beyond the gap nothing does.
    expect(new Play().all([at('a', 0, 30, { samples }), at('b', 900, 930, { samples })]).services).toEqual(['a', 'b']);
  });

  it('is a noisy service beside another', () => {
    const noise = Array.from({ length: 40 }, (_, i) => at('noisy', i * 900, i * 900 + 30));
    const play = new Play().all(noise);
    play.find(40 * 900, at('noisy', 36_000 - 30, 36_000), at('quiet', 36_000 - 30, 36_000));
    expect(play.services.filter((one) => one.includes('quiet'))).toEqual(['quiet']);
  });

  it('is harmless: low scores of a deploy everywhere', () => {
    const services = Array.from({ length: 20 }, (_, i) => `s${i}`);
    const deploy = services.map((one, i) => at(one, i, i, { detector: 'new_template', score: 40 }));
    expect(new Play().all(deploy).end(60).rows).toEqual([]);
    // If a deploy hurts everywhere, it is one incident.
    const hurts = services.map((one, i) => at(one, i, i + 30, { score: 70 }));
    expect(new Play().all(hurts).final).toMatchObject([{ firstMover: '', score: 70 }]);
  });

  it('is kept open by a trickle of low scores no longer than the strong ones last', () => {
    const play = new Play().all([at('db', 0, 30), at('web', 10, 40)]);
    for (let s = 60; s < 3 * 3_600; s += 60)
      play.find(s, at(`w${s % 7}`, s - 30, s, { anomalyId: `w${s}`, score: 30 }));
    const [incident] = play.final;
    expect(play.final).toHaveLength(1);
    expect(incident?.state).toBe('closed');
    expect((incident?.endedMs ?? 0) - startMs).toBeLessThanOrEqual(12 * minute);
  });

  it('goes on without end: a chain is cut by its span', () => {
    const chain = Array.from({ length: 120 }, (_, i) => at(`s${i}`, i * 60, i * 60 + 30));
    const { final } = new Play().all(chain);
    for (const { startedMs, members } of final)
      expect(Math.max(...members.map(({ onsetByMs }) => onsetByMs)) - startedMs).toBeLessThanOrEqual(
        config.spanMs + minute,
      );
  });
});

describe('what usually moves together', () => {
  it('is learned: a gap that says nothing at first is an incident later', () => {
    const gapS = nearMs / second - 10;
    const play = new Play();
    // Often enough that nearness alone says little.
    for (let i = 0; i < 60; i++) {
      const s = i * 1_800;
      play.all([at('cart', s, s), at('checkout', s + gapS, s + gapS)]);
      if (i % 7 !== 0) play.find(s + 700, at('mail', s + 700, s + 700));
    }
    const last = play.services;
    expect(last.filter((one) => one === 'cart checkout').length).toBeGreaterThan(20);
    expect(last.some((one) => one.includes('mail') && one !== 'mail')).toBe(false);
  });
});

describe('bounds', () => {
  it('hold: findings over the limit are closed, forgotten and counted', { timeout: 60_000 }, () => {
    const play = new Play();
    for (let i = 0; i < 1.5 * findingsMax; i += 50)
      play.find(
        i / 20,
        ...Array.from({ length: 50 }, (_, k) =>
          at(`s${(i + k) % 997}`, i / 20, i / 20, { anomalyId: `a${i + k}`, detector: `d${k}` }),
        ),
      );
    expect(findingsHeld(play.state)).toBeLessThanOrEqual(findingsMax);
    expect(play.state.totals.evicted).toBeGreaterThan(0);
    play.end((1.5 * findingsMax) / 20);
    expect(findingsHeld(play.state)).toBe(0);
    expect(play.final.every(({ state }) => state === 'closed')).toBe(true);
  });

  it('hold: lanes of jobs come and go', () => {
    const play = new Play();
    for (let i = 0; i < 100; i++) play.find(i, at('a', 0, 30, { lane: `job-${i}`, anomalyId: `a${i}` }));
    expect(play.state.lanes.size).toBeLessThanOrEqual(32);
    expect(play.end(100).state.lanes.size).toBe(0);
  });
});
