import { describe, expect, it } from 'vitest';
import { pack, unpack } from '#protocol/mod.ts';
import { configOf, finding, Play, startMs } from '../testing/fixtures.ts';
import { decide } from './decide.ts';
import { type AlertingSnapshot, emptyState, restoreState, snapshotOf } from './state.ts';
import { type AlertingEvent, alertsMax, openMaxMs, outboxMax, settledMax, viewsMax } from './types.ts';

const minute = 60_000;
const resolveAfter = 5 * minute;

describe('an alert', () => {
  it('fires at its first finding and is told at once', () => {
    const play = new Play(configOf()).find(0, {});
    expect(play.changed()).toEqual(['0 checkout firing 1']);
    const [told] = play.notifications;
    expect(told).toMatchObject({
      channel: 'hook',
      reason: 'firing',
      groupKey: 'service=checkout',
      receipt: finding().receipt,
      more: 0,
    });
    expect(told?.firing[0]).toMatchObject({ service: 'checkout', score: 80, severity: 'critical', state: 'firing' });
    expect(told?.id).toMatch(/^n[0-9a-f]{32}$/);
  });

  it('folds repeats of what it is about', () => {
    const play = new Play(configOf()).find(0, {}).find(10_000, { anomalyId: 'b' }).find(20_000, { score: 78 });
    expect(play.changed()).toEqual(['0 checkout firing 1']);
    expect(play.told()).toEqual(['0 hook firing 1+0']);
    expect([...play.state.alerts.values()]).toMatchObject([{ count: 3, score: 80, lastSeenMs: startMs + 20_000 }]);
  });

  it('keeps the evidence of its highest score', () => {
    const play = new Play(configOf()).find(0, {}).find(1_000, { score: 90, actual: 99, samples: ['worse'] });
    expect([...play.state.alerts.values()]).toMatchObject([{ score: 90, actual: 99, samples: ['worse'] }]);
  });

  it('is told again, at once, where its severity rises', () => {
    const play = new Play(configOf()).find(0, { score: 55 }).find(1_000, { score: 60 }).find(2_000, { score: 99 });
    expect(play.changed()).toEqual(['0 checkout firing 1', '2000 checkout firing 2']);
    expect(play.told()).toEqual(['0 hook firing 1+0', '2000 hook update 1+0']);
  });

  it('resolves after quiet time, counted from the last finding, at that time and not at the tick', () => {
    const play = new Play(configOf()).find(0, {}).find(minute, {});
    play.tick(resolveAfter + minute - 1);
    expect(play.changed()).toEqual(['0 checkout firing 1']);
    play.tick(resolveAfter + 3 * minute);
    expect(play.changed()).toEqual([`${resolveAfter + minute} checkout resolved 2`]);
    expect(play.told()).toEqual(['0 hook firing 1+0', `${resolveAfter + minute} hook resolved 0+1`]);
    expect(play.state.alerts.size + play.state.groups.size).toBe(0);
  });

  it('has a new id when it fires again, and the same id in a replay', () => {
    const events = (play: Play): string[] => {
      play.find(0, {}).find(resolveAfter + minute, { anomalyId: 'b' });
      return play.transitions.map(({ alertId, state }) => `${alertId} ${state}`);
    };
    const first = events(new Play(configOf()));
    expect(new Set(first.map((one) => one.slice(0, 16))).size).toBe(2);
    expect(events(new Play(configOf()))).toEqual(first);
    expect(first[0]).toMatch(/^[0-9a-f]{16} firing$/);
  });

  it('is not raised by a finding under the least score, until its score rises', () => {
    const play = new Play(configOf()).find(0, { score: 49.9 });
    expect(play.changed()).toEqual([]);
    expect(play.state.totals.belowScore).toBe(1);
    play.find(1, { score: 50 });
    expect(play.changed()).toEqual(['1 checkout firing 1']);
  });

  it('tells apart service, lane, detector and subject', () => {
    const play = new Play(configOf({ notifyBackfill: true }));
    play.find(0, {}, { service: 'cart' }, { detector: 'silence' }, { subject: 'x' }, { lane: 'job-1' });
    expect(play.state.alerts.size).toBe(5);
  });

  it('fires once for a finding that goes on, however rarely more is said of it, and resolves after its end', () => {
    const play = new Play(configOf()).find(0, { open: true });
    for (const at of [6, 12, 25, 170]) play.find(at * minute, { open: true });
    play.find(180 * minute, { open: false }).tick(200 * minute);
    expect(play.changed()).toEqual(['0 checkout firing 1', `${180 * minute + resolveAfter} checkout resolved 2`]);
    expect(play.state.alerts.size).toBe(0);
  });

  it('resolves a day after the last word of a finding whose end never comes, and hears no more of it', () => {
    const play = new Play(configOf()).find(0, { open: true }).tick(openMaxMs - 1);
    expect(play.changed()).toEqual(['0 checkout firing 1']);
    play.tick(openMaxMs).find(openMaxMs + minute, { open: true });
    expect(play.changed()).toEqual([`${openMaxMs} checkout resolved 2`]);
  });

  it('goes on as long as the finding that goes on, whatever else joins it', () => {
    const play = new Play(configOf()).find(0, { open: true }).find(minute, { anomalyId: 'b', open: true });
    play.find(2 * minute, { open: true }).find(3 * minute, { anomalyId: 'b', open: false });
    play.tick(60 * minute);
    expect(play.changed()).toEqual(['0 checkout firing 1']);
    play.find(61 * minute, { open: false }).tick(90 * minute);
    expect(play.changed()).toEqual([`${61 * minute + resolveAfter} checkout resolved 2`]);
  });

  it('does not fire again for what is said of its findings after it was resolved, unless that is graver', () => {
    const play = new Play(configOf()).find(0, { score: 60 }).find(minute, { anomalyId: 'b', score: 55 });
    play.find(20 * minute, { score: 70 }).find(20 * minute, { anomalyId: 'b', score: 60 });
    expect(play.changed()).toEqual(['0 checkout firing 1', `${minute + resolveAfter} checkout resolved 2`]);
    play.find(21 * minute, { score: 99 });
    expect(play.changed()).toEqual([`${21 * minute} checkout firing 1`]);
  });

  it('goes on where another is resolved that was heard of later', () => {
    const play = new Play(configOf())
      .find(0, { open: true })
      .find(minute, { service: 'cart' })
      .tick(60 * minute);
    expect(play.changed()).toEqual([
      '0 checkout firing 1',
      `${minute} cart firing 1`,
      `${minute + resolveAfter} cart resolved 2`,
    ]);
  });

  it('is not raised by a revision of something long over', () => {
    const play = new Play(configOf()).find(0, { revised: true, decidedAtMs: startMs - resolveAfter - 1 });
    expect(play.changed()).toEqual([]);
    play.find(1, { revised: true, decidedAtMs: startMs - 1_000 });
    expect(play.changed()).toHaveLength(1);
  });
});

describe('a group', () => {
  it('tells findings of one message at once, of the next after the interval', () => {
    const play = new Play(configOf()).find(0, {}, { detector: 'volume_surge' });
    expect(play.told()).toEqual(['0 hook firing 2+0']);
    play.find(5_000, { detector: 'silence' }).find(6_000, { detector: 'new_template' });
    expect(play.told()).toEqual([]);
    play.tick(30_000);
    expect(play.told()).toEqual(['30000 hook update 4+0']);
  });

  it('lets a higher severity through without waiting', () => {
    const play = new Play(configOf()).find(0, { score: 60 }).find(100, { detector: 'silence', score: 95 });
    expect(play.told()).toEqual(['0 hook firing 1+0', '100 hook update 2+0']);
    play.find(200, { detector: 'other', score: 96 });
    expect(play.told()).toEqual([]);
  });

  it('keeps services apart by default, and joins what the route joins', () => {
    const services = [{ service: 'a' }, { service: 'b' }];
    expect(new Play(configOf()).find(0, ...services).told()).toEqual(['0 hook firing 1+0', '0 hook firing 1+0']);
    const joined = configOf({ routes: [{ name: 'all', channels: ['hook'], groupBy: ['detector'] }] });
    const play = new Play(joined).find(0, ...services);
    expect(play.transitions[0]?.groupKey).toBe('detector=error_spike');
    expect(play.told()).toEqual(['0 hook firing 2+0']);
  });

  it('waits first where the route says so', () => {
    const play = new Play(configOf({ routes: [{ name: 'all', channels: ['hook'], groupWaitMs: 10_000 }] }));
    play.find(0, {}).find(4_000, { detector: 'silence' });
    expect(play.told()).toEqual([]);
    expect(play.tick(10_000).told()).toEqual(['10000 hook firing 2+0']);
  });

  it('is told again while it fires, not before the repeat interval', () => {
    const play = new Play(configOf({ routes: [{ name: 'all', channels: ['hook'], repeatIntervalMs: 10 * minute }] }));
    for (let at = 0; at <= 21; at++) play.find(at * minute, {});
    expect(play.told()).toEqual(['0 hook firing 1+0', '600000 hook repeat 1+0', '1200000 hook repeat 1+0']);
  });

  it('tells of what came and went while it waited', () => {
    const play = new Play(
      configOf({ resolveAfterMs: 10_000, routes: [{ name: 'all', channels: ['hook'], groupIntervalMs: minute }] }),
    );
    play.find(0, {}).find(1_000, { detector: 'silence' }).tick(minute);
    expect(play.told()).toEqual(['0 hook firing 1+0', '60000 hook resolved 0+2']);
  });

  it('tells an end only to channels that want it', () => {
    const channels = [
      { name: 'hook', type: 'webhook', url: 'http://x/', sendResolved: false },
      { name: 'other', type: 'webhook', url: 'http://x/' },
    ];
    const play = new Play(configOf({ channels, routes: [] })).find(0, {}).tick(resolveAfter);
    expect(play.told()).toEqual(['0 hook firing 1+0', '0 other firing 1+0', '300000 other resolved 0+1']);
  });

  it('shows a bounded number of alerts, news and high scores first', () => {
    const many = Array.from({ length: viewsMax + 5 }, (_, i) => ({ subject: `s${i}`, score: 51 + i }));
    const play = new Play(configOf()).find(0, ...many);
    const [told] = play.notifications;
    expect(told).toMatchObject({ more: 5 });
    expect(told?.firing).toHaveLength(viewsMax);
    expect(told?.firing[0]?.score).toBe(51 + viewsMax + 4);
  });

  it('has different notification ids for each notification and channel, the same in a replay', () => {
    const ids = (): string[] => {
      const play = new Play(configOf({ routes: [] })).find(0, {}).find(40_000, { subject: 'b' }).tick(400_000);
      return play.notifications.map(({ id }) => id);
    };
    expect(new Set(ids()).size).toBe(ids().length);
    expect(ids()).toEqual(ids());
    expect(ids().length).toBe(8);
  });
});

describe('routes', () => {
  const routes = [
    { name: 'audit', match: { scoreMin: 90 }, channels: ['other'], continue: true },
    { name: 'pay', match: { service: 'pay*', severity: ['critical'] }, channels: ['other'] },
    { name: 'spikes', match: { detector: ['error_spike', 'volume_*'] }, channels: ['hook'] },
  ];

  it('take the first that fits, and later ones after `continue`', () => {
    const channelsOf = (over: Parameters<typeof finding>[0]): string[] =>
      new Play(configOf({ routes })).find(0, over ?? {}).notifications.map(({ route }) => route);
    expect(channelsOf({ service: 'payments', score: 80 })).toEqual(['pay']);
    expect(channelsOf({ service: 'payments', score: 60 })).toEqual(['spikes']);
    expect(channelsOf({ service: 'payments', score: 95 })).toEqual(['audit', 'pay']);
    expect(channelsOf({ detector: 'volume_surge' })).toEqual(['spikes']);
  });

  it('leave what fits none untold, and say so', () => {
    const play = new Play(configOf({ routes })).find(0, { detector: 'silence' });
    expect(play.transitions[0]).toMatchObject({ channels: [], suppressedBy: 'route' });
    expect(play.told()).toEqual([]);
  });

  it('name the channels in the transition', () => {
    const play = new Play(configOf({ routes })).find(0, { service: 'payments', score: 95 });
    expect(play.transitions[0]).toMatchObject({ channels: ['other'], suppressedBy: '' });
  });

  it('are not needed where no channel is configured: alerts fire and are recorded', () => {
    const play = new Play(configOf({ channels: [], routes: [] })).find(0, {}).tick(resolveAfter);
    expect(play.changed()).toEqual(['0 checkout firing 1', '300000 checkout resolved 2']);
    expect(play.told()).toEqual([]);
    expect(play.state.groups.size).toBe(0);
  });

  it('a route that the configuration lost ends its groups', () => {
    const play = new Play(configOf({ routes })).find(0, {});
    play.config = configOf();
    play.find(minute, {}).tick(2 * minute + resolveAfter);
    expect(play.state.groups.size).toBe(0);
  });
});

describe('lanes', () => {
  it('other than live are recorded and tell nobody unless asked', () => {
    const play = new Play(configOf()).find(0, { lane: 'job-1' });
    expect(play.changed()).toEqual(['0 checkout firing 1 lane']);
    expect(play.told()).toEqual([]);
    expect(new Play(configOf({ notifyBackfill: true })).find(0, { lane: 'job-1' }).told()).toHaveLength(1);
  });
});

describe('silences', () => {
  const silence = (untilMs: number, service = 'checkout'): AlertingEvent => {
    const [parsed] = [{ service: [service], detector: [], subject: [], lane: [], severity: [], scoreMin: 0 } as const];
    return {
      kind: 'silence',
      atMs: startMs,
      silence: {
        id: 'deploy',
        match: { ...parsed, service: [...parsed.service], detector: [], subject: [], lane: [], severity: [] },
        untilMs: startMs + untilMs,
        comment: '',
      },
    };
  };

  it('keep what they match quiet, and record it', () => {
    const play = new Play(configOf()).run(silence(minute)).find(1_000, {}, { service: 'cart' });
    expect(play.changed()).toEqual(['1000 checkout firing 1 silence:deploy', '1000 cart firing 1']);
    expect(play.notifications.map(({ groupKey }) => groupKey)).toEqual(['service=cart']);
  });

  it('when over, people hear of what still fires', () => {
    const play = new Play(configOf())
      .run(silence(minute))
      .find(1_000, {})
      .tick(2 * minute);
    expect(play.told()).toEqual(['60000 hook firing 1+0']);
    expect(play.state.silences.size).toBe(0);
  });

  it('when removed, people hear of what still fires', () => {
    const play = new Play(configOf()).run(silence(minute)).find(1_000, {});
    play.run({ kind: 'unsilence', atMs: startMs + 2_000, id: 'deploy' });
    expect(play.told()).toEqual(['2000 hook firing 1+0']);
  });

  it('nobody hears of the end of what nobody heard of', () => {
    const play = new Play(configOf())
      .run(silence(60 * minute))
      .find(1_000, {})
      .tick(10 * minute);
    expect(play.changed()).toEqual([
      '1000 checkout firing 1 silence:deploy',
      '301000 checkout resolved 2 silence:deploy',
    ]);
    expect(play.told()).toEqual([]);
    expect(play.state.groups.size).toBe(0);
  });

  it('a repeat goes on after a silence that covered it', () => {
    const play = new Play(configOf({ routes: [{ name: 'all', channels: ['hook'], repeatIntervalMs: 2 * minute }] }));
    play.find(0, {}).run(silence(3 * minute));
    for (let at = 1; at <= 5; at++) play.find(at * minute, {});
    expect(play.told()).toEqual(['0 hook firing 1+0', '240000 hook repeat 1+0']);
  });

  it('that are over already do nothing', () => {
    const play = new Play(configOf()).tick(1_000).run(silence(500)).find(2_000, {});
    expect(play.told()).toHaveLength(1);
  });
});

describe('inhibition', () => {
  const inhibitions = [
    { name: 'down', source: { detector: 'silence' }, target: { detector: '*' }, equal: ['service'] },
  ];

  it('keeps the consequences of a cause quiet, for the same service only', () => {
    const play = new Play(configOf({ inhibitions })).find(0, { detector: 'silence' }).find(1, {}, { service: 'cart' });
    expect(play.changed()).toEqual(['0 checkout firing 1', '1 checkout firing 1 inhibition:down', '1 cart firing 1']);
    expect(play.notifications.map(({ groupKey }) => groupKey)).toEqual(['service=checkout', 'service=cart']);
  });

  it('ends with its cause', () => {
    const play = new Play(configOf({ inhibitions })).find(0, { detector: 'silence' });
    play.find(4 * minute, {}).tick(resolveAfter);
    expect(play.told()).toEqual(['0 hook firing 1+0', '300000 hook update 1+1']);
  });

  it('never keeps the cause itself quiet', () => {
    expect(new Play(configOf({ inhibitions })).find(0, { detector: 'silence' }).told()).toHaveLength(1);
  });
});

describe('a channel', () => {
  const config = configOf({
    channels: [{ name: 'hook', type: 'webhook', url: 'http://x/', perMinuteMax: 2 }],
    routes: [],
  });

  it('takes so many a minute, and hears of the rest in one "and N more"', () => {
    const play = new Play(config);
    for (let i = 0; i < 5; i++) play.find(i * 1_000, { service: `s${i}` });
    expect(play.told()).toEqual(['0 hook firing 1+0', '1000 hook firing 1+0']);
    play.tick(minute);
    const [summary] = play.notifications;
    expect(summary).toMatchObject({ reason: 'summary', more: 3, moreServices: ['s2', 's3', 's4'], firing: [] });
    expect(play.tick(3 * minute).told()).toHaveLength(1);
  });

  it('has room again in the next minute, less the summary', () => {
    const play = new Play(config);
    for (let i = 0; i < 4; i++) play.find(i, { service: `a${i}` });
    play.find(minute, { service: 'b0' }).find(minute + 1, { service: 'b1' });
    expect(play.told()).toEqual([
      '0 hook firing 1+0',
      '1 hook firing 1+0',
      '60000 hook summary 0+0 and 2',
      '60000 hook firing 1+0',
    ]);
    expect(play.state.channels.get('hook')?.held).toBe(1);
  });
});

describe('delivery', () => {
  it('empties the outbox, and counts what failed for good', () => {
    const play = new Play(configOf({ routes: [] })).find(0, {});
    const [first, second] = [...play.state.outbox.keys()] as [string, string];
    play.run({ kind: 'delivered', id: first }).run({ kind: 'delivered', id: first });
    play.run({ kind: 'undeliverable', id: second, atMs: 5, attempts: 10, error: 'refused' });
    expect(play.state.outbox.size).toBe(0);
    expect(play.state.totals).toMatchObject({ delivered: 1, failed: 1, notifications: 2 });
    expect(play.state.failures).toEqual([{ id: second, channel: 'other', atMs: 5, attempts: 10, error: 'refused' }]);
  });

  it('that nobody takes keeps the oldest and sums up the rest', () => {
    const channels = [{ name: 'hook', type: 'webhook', url: 'http://x/', perMinuteMax: 10_000 }];
    const play = new Play(configOf({ channels, routes: [] }));
    for (let i = 0; i < outboxMax + 7; i++) play.find(i, { service: `s${i}` });
    expect(play.state.outbox.size).toBe(outboxMax);
    expect(play.notifications.at(-1)?.firing[0]?.service).toBe(`s${outboxMax - 1}`);
    expect(play.state.channels.get('hook')?.held).toBe(7);
    for (const id of [...play.state.outbox.keys()].slice(0, 5)) play.run({ kind: 'delivered', id });
    play.notifications.splice(0);
    play.tick(2 * minute);
    expect(play.told()).toEqual([expect.stringContaining('hook summary 0+0 and 7')]);
  });
});

describe('bounds', () => {
  it('close the alert longest without a finding when there are too many', () => {
    const play = new Play(configOf());
    for (let i = 0; i < alertsMax; i++) play.find(i, { service: `s${i}` });
    play.find(alertsMax, { service: 's0' }).find(alertsMax + 1, { service: 'new' });
    expect(play.state.alerts.size).toBe(alertsMax);
    const closed = play.transitions.filter(({ state }) => state === 'resolved');
    expect(closed).toMatchObject([{ service: 's1', transition: 2 }]);
    expect(play.state.totals.evicted).toBe(1);
    expect(play.state.groups.size).toBeLessThanOrEqual(alertsMax);
  });

  it('remember only so many findings whose alerts are over, the latest', () => {
    const play = new Play(configOf({ channels: [], routes: [] }));
    const many = (from: number) => Array.from({ length: 1_000 }, (_, i) => ({ anomalyId: `a${from + i}` }));
    for (let at = 0; at <= 5; at++) play.find(at, ...many(1_000 * at));
    expect(play.state.settled.size).toBe(settledMax);
    expect([...play.state.settled.keys()].at(-1)).toBe('a5998');
  });
});

describe('time', () => {
  it('brings about what is due in order, however rarely ticks come', () => {
    const run = (everyMs: number): { changed: string[]; told: string[] } => {
      const play = new Play(configOf());
      play.find(0, {}).find(1_000, { detector: 'silence' });
      for (let at = 2_000; at <= 20 * minute; at += everyMs) play.tick(at);
      play.find(20 * minute + 1, {});
      return { changed: play.changed(), told: play.told() };
    };
    expect(run(1_000)).toEqual(run(7 * minute));
    expect(run(1_000)).toEqual(run(60 * minute));
  });

  it('tells how things stand, once, after an absence', () => {
    const play = new Play(configOf());
    const old = (afterMs: number, over: Parameters<typeof finding>[0]): void => {
      const findings = [finding(over)];
      play.run({ kind: 'anomalies', atMs: startMs + afterMs, findings, catchingUp: true });
    };
    for (let at = 0; at < 300; at++)
      old(at * minute, { service: at % 2 === 0 ? 'cart' : 'checkout', score: 50 + at / 10 });
    for (let at = 300; at < 330; at++) old(at * minute, { service: 'cart' });
    expect(play.told()).toEqual([]);
    expect(play.changed().length).toBeGreaterThan(2);
    play.tick(330 * minute);
    expect(play.told()).toEqual(['19740000 hook firing 1+0', '19740000 hook resolved 0+1']);
  });

  it('gives another id to a notification that tells more', () => {
    const events = (catchingUp: boolean): string[] => {
      const play = new Play(configOf());
      play.run({ kind: 'anomalies', atMs: startMs, findings: [finding()], catchingUp });
      play.run({ kind: 'anomalies', atMs: startMs + 1, findings: [finding({ subject: 'b' })], catchingUp });
      return play.tick(2).notifications.map(({ id }) => id);
    };
    const [straight] = events(false);
    const [late] = events(true);
    expect(late).toBeDefined();
    expect(late).not.toBe(straight);
  });

  it('never goes back', () => {
    const play = new Play(configOf()).tick(10_000).find(5_000, {});
    expect(play.changed()).toEqual(['10000 checkout firing 1']);
  });
});

describe('state', () => {
  const events: AlertingEvent[] = [
    { kind: 'anomalies', atMs: startMs, findings: [finding(), finding({ service: 'cart', score: 60 })] },
    {
      kind: 'silence',
      atMs: startMs + 1,
      silence: { id: 'x', match: configOf().routes[0]!.match, untilMs: startMs + 50_000, comment: '' },
    },
    {
      kind: 'anomalies',
      atMs: startMs + 2,
      findings: [finding({ detector: 'silence' }), finding({ service: 'cart' })],
    },
    { kind: 'tick', atMs: startMs + 40_000 },
    { kind: 'anomalies', atMs: startMs + 55_000, findings: [finding({ subject: 'later' })] },
    { kind: 'tick', atMs: startMs + 20 * minute },
  ];

  it('is the same after a snapshot at any step: step(restore(snapshot(s)), e) = step(s, e)', () => {
    const config = configOf({ routes: [] });
    let state = emptyState();
    for (const event of events) {
      const packed = unpack(pack(snapshotOf(state))) as AlertingSnapshot;
      const restored = decide(restoreState(packed), event, config);
      const straight = decide(state, event, config);
      expect(restored.effects).toEqual(straight.effects);
      expect(snapshotOf(restored.state)).toEqual(snapshotOf(straight.state));
      ({ state } = straight);
    }
    expect(state.totals.fired).toBeGreaterThan(3);
  });

  it('is taken on from versions that did not say what goes on', () => {
    const { state } = new Play(configOf()).find(0, {});
    const { settled: _, alerts, ...rest } = snapshotOf(state);
    const [[fingerprint, { openId: __, ...alert }]] = alerts as [[string, { openId: string }]];
    const play = new Play(configOf(), restoreState({ ...rest, alerts: [[fingerprint, alert]] }));
    play.find(minute, { open: true }).tick(60 * minute);
    expect(play.changed()).toEqual([]);
    play.find(61 * minute, { open: false }).tick(70 * minute);
    expect(play.changed()).toEqual([`${61 * minute + resolveAfter} checkout resolved 2`]);
  });

  it('that was decided on stays as it was', () => {
    const config = configOf();
    let state = emptyState();
    for (const event of events) {
      const before = structuredClone(snapshotOf(state));
      const next = decide(state, event, config).state;
      expect(snapshotOf(state)).toEqual(before);
      state = next;
    }
  });
});
