/** A cascade is told once, with updates; what it does to silences, inhibition and texts. */
import type { Anomaly } from '#protocol/mod.ts';
import { describe, expect, it } from 'vitest';
import { parseAlertingConfig } from '../config/mod.ts';
import { slackMessage } from '../delivery/slack.ts';
import { plainText, titleOf } from '../delivery/text.ts';
import { webhookBody } from '../delivery/webhook.ts';
import { Play, startMs } from '../testing/fixtures.ts';
import { emptyState, restoreState, snapshotOf } from './state.ts';

const second = 1_000;
const minute = 60 * second;
const page = 'http://page:8080/';

/** As people have it who configured a channel and nothing else. */
function playOf(over: Record<string, unknown> = {}): Play {
  const channels = [{ name: 'hook', type: 'webhook', url: 'http://127.0.0.1:1/' }];
  return new Play(parseAlertingConfig({ channels, ...over }).decide);
}

function at(service: string, fromS: number, byS: number, over: Partial<Anomaly> = {}): Partial<Anomaly> {
  const [from, by] = [startMs + fromS * second, startMs + byS * second];
  return { anomalyId: `${service}-1`, service, startMs: from, decidedAtMs: by, endMs: by, eventMs: by, ...over };
}

const db = at('db', -30, 0, { score: 60, samples: ['disk of db-3 is full'] });
const payments = at('payments', 20, 20, { score: 90, samples: ['db-3 refused'] });
const web = at('web', 25, 25, { score: 97, samples: ['payments answered 502'] });

function cascade(play: Play): Play {
  return play
    .find(0, db)
    .find(20 * second, payments)
    .find(25 * second, web);
}

describe('a standstill', () => {
  it('of many services pages once', () => {
    const play = playOf();
    for (let n = 0; n < 12; n++) {
      const silent = {
        detector: 'silence',
        score: 95,
        samples: [],
        influencers: [],
        description: 'no records for 30 s',
      };
      play.find((29 + n / 10) * second, at(`busy-${n}`, n / 10 - 1, 29 + n / 10, silent));
    }
    play.tick(65 * second);
    const last = play.notifications.at(-1);
    expect(play.told()).toEqual(['29000 hook firing 1+0', '59000 hook update 12+0']);
    expect(last && titleOf(last)).toBe('12 services fell silent together (12 alerts)');
  });
});

describe('a cascade', () => {
  it('pages once, at once, and then with updates', () => {
    const play = cascade(playOf());
    // The first at once; payments is more severe than what was told, and does not wait; web waits for the interval.
    expect(play.told()).toEqual(['0 hook firing 1+0', '20000 hook update 2+0']);
    expect(play.tick(55 * second).told()).toEqual(['50000 hook update 3+0']);
    expect(play.tick(7 * minute).told()).toEqual(['300000 hook update 2+1', '330000 hook resolved 0+2']);
    expect(play.state.groups.size).toBe(0);
  });

  it('pages as often as it has services where people ask for that', () => {
    const play = cascade(playOf({ routes: [{ name: 'r', channels: 'hook', groupBy: 'service' }] }));
    expect(play.told()).toEqual(['0 hook firing 1+0', '20000 hook firing 1+0', '25000 hook firing 1+0']);
  });

  it('is told with order, evidence, worst, and where to look', () => {
    const play = cascade(playOf());
    play.tick(55 * second);
    const last = play.notifications.at(-1);
    if (last === undefined) throw new Error('nothing was told');
    expect(titleOf(last)).toBe('db first, then payments, then web (3 alerts)');
    const id = last.incident?.incidentId ?? '';
    const link = `${page}?tab=incidents&from=${startMs - 30 * second - 10 * minute}&incident=${id}`;
    const sentence =
      'db first (11:59:30–12:00:00 UTC), then payments, then web; shared: host db-3; payments is named by web; worst, score 97: web: 41 errors within 60 s, usually 2';
    expect(plainText(last, page)).toContain(`${sentence}\n${link}\n\n`);
    expect(webhookBody(last, page)).toMatchObject({ url: link, incident: { firstMover: 'db', ranks: [0, 1, 2] } });
    expect(JSON.stringify(slackMessage(last, page))).toContain(`<${link}|Incident>`);
    expect(play.notifications[0]?.incident).toBeNull();
  });

  it('keeps symptoms quiet where configured, and tells of them if they outlast what began it', () => {
    const play = cascade(playOf({ incidents: { inhibitSymptoms: true }, resolveAfterMs: 60_000 }));
    expect(play.told()).toEqual(['0 hook firing 1+0']);
    expect(play.changed().filter((one) => one.includes('incident:'))).toHaveLength(2);
    for (let s = 30; s <= 90; s += 10) play.find(s * second, { ...web, endMs: startMs + s * second });
    expect(play.told().some((one) => one.includes('1+1') || one.includes('2+1'))).toBe(true);
  });

  it('respects silences, and does not need the one that began it to be told', () => {
    const play = playOf({ silences: [] }).run({
      kind: 'silence',
      atMs: startMs - 1,
      silence: {
        id: 'db',
        match: { service: ['db'], detector: [], subject: [], lane: [], severity: [], scoreMin: 0 },
        untilMs: startMs + 60 * minute,
        comment: '',
      },
    });
    expect(cascade(play).told()).toEqual(['20000 hook firing 1+0']);
    expect(play.notifications.at(-1)?.incident?.services ?? ['db']).toContain('db');
  });

  it('is decided the same after a restart in its middle', () => {
    const whole = cascade(playOf());
    const half = playOf().find(0, db);
    const other = playOf();
    other.state = restoreState(snapshotOf(half.state));
    other.find(20 * second, payments).find(25 * second, web);
    const ids = (play: Play): unknown =>
      [...play.state.groups.values()].map(({ members, ...rest }) => [rest, [...members]]);
    expect(ids(other)).toEqual(ids(whole));
    expect(other.incidents.at(-1)).toEqual(whole.incidents.at(-1));
    // A checkpoint from before there were incidents.
    const { incidents: _, ...old } = snapshotOf(emptyState());
    expect(restoreState(old).incidents.lanes.size).toBe(0);
  });

  it('of files read later is recorded, and tells nobody', () => {
    const job = (one: Partial<Anomaly>): Partial<Anomaly> => ({ ...one, lane: 'job-1' });
    const play = playOf().find(0, job(db), job(payments), job(web));
    expect(play.told()).toEqual([]);
    expect(play.incidents.at(-1)).toMatchObject({ lane: 'job-1', services: ['db', 'payments', 'web'] });
  });
});
