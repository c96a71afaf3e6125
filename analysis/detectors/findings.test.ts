import { serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { Driver, ordinary, poissonOf, randomOf, startMs, type TestRecord } from './test-stream.ts';

const second = 1000;
const minute = 60 * second;

/** An ordinary service with more records mixed in, in order of time. */
function withMore(seed: number, minutes: number, more: readonly TestRecord[], shape = {}): TestRecord[] {
  return [...ordinary({ seed, minutes, rate: 6, ...shape }), ...more].sort((a, b) => a.timeMs - b.timeMs);
}
/** A message at random times, `perMinute` of them, in each span of minutes. */
function steady(seed: number, slot: number, body: string, perMinute: number, spans: [number, number][]): TestRecord[] {
  const random = randomOf(seed);
  return spans.flatMap(([from, to]) =>
    Array.from({ length: poissonOf(random, perMinute * (to - from)) }, () => ({
      timeMs: startMs + Math.floor((from + random() * (to - from)) * minute),
      severity: 9,
      slot,
      body,
    })),
  );
}
const play = (records: readonly TestRecord[]): Driver => new Driver().sendIn(records, 200).end();
const found = (driver: Driver): string[] => driver.anomalies().map(({ detector }) => detector);

describe('findings', () => {
  it('name a regular message that stays away, until it comes back', () => {
    const driver = play(
      withMore(
        1,
        90,
        steady(2, 20, 'heartbeat of shard 7', 12, [
          [0, 60],
          [75, 90],
        ]),
      ),
    );
    expect(found(driver)).toEqual(['template_vanished']);
    const [vanished] = driver.anomalies();
    expect(vanished?.decidedAtMs).toBeLessThan(startMs + 63 * minute);
    expect((vanished?.endMs as number) - startMs).toBeLessThan(76 * minute);
    expect(vanished?.description).toMatch(
      /stopped: none for 1[45] min since \d\d:\d\d:\d\d UTC where .+ are typical, while the service goes on$/,
    );
  });

  it.each([11, 13, 43, 45])(
    'know a message that comes in a part of every minute only, from its second %i on',
    (from) => {
      const parts = Array.from({ length: 91 }, (_, at): [number, number] => [at + from / 60, at + (from + 33) / 60]);
      const records = withMore(1, 92, steady(2, 20, 'heartbeat of shard 7', 120, parts));
      expect(found(play(records.filter(({ timeMs }) => timeMs < startMs + 91 * minute)))).toEqual([]);
    },
  );

  it('name one debug message that stays away while others come, but no debug output that is switched off', () => {
    const debug = (slot: number, minutes: number): TestRecord[] =>
      steady(slot, slot, `${'abcdefgh'[slot - 20]} cache looked up`, 12, [[0, minutes]]).map((one) => ({
        ...one,
        severity: 5,
      }));
    const others = [21, 22, 23, 24].flatMap((slot) => debug(slot, 92));
    const cut = (records: TestRecord[]): TestRecord[] => records.filter(({ timeMs }) => timeMs < startMs + 91 * minute);
    expect(found(play(cut(withMore(1, 92, [...debug(20, 60), ...others]))))).toEqual(['template_vanished']);
    expect(
      found(
        play(
          withMore(
            1,
            92,
            [20, 21, 22, 23, 24].flatMap((slot) => debug(slot, 60)),
          ),
        ),
      ),
    ).toEqual([]);
  });

  it('take other words for the same as no finding', () => {
    const driver = play(
      withMore(1, 90, [
        ...steady(2, 20, 'heartbeat of shard 7', 12, [[0, 60]]),
        ...steady(3, 21, 'shard 7 is alive', 12, [[60, 90]]),
      ]),
    );
    expect(found(driver)).toEqual([]);
  });

  it('name a rare message that bursts, and leave a lump of retries alone', () => {
    const rare = steady(4, 22, 'index 7 rebuilt', 0.2, [[0, 90]]);
    const lump = Array.from({ length: 30 }, (_, i) => ({
      timeMs: startMs + 50 * minute + i * 200,
      severity: 9,
      slot: 22,
      body: 'index 7 rebuilt',
    }));
    expect(found(play(withMore(5, 90, [...rare, ...lump])))).toEqual([]);
    const driver = play(withMore(5, 90, [...rare, ...steady(6, 22, 'index 7 rebuilt', 40, [[60, 64]])]));
    expect(found(driver)).toEqual(['template_burst']);
    expect(driver.anomalies()[0]?.decidedAtMs).toBeLessThan(startMs + 61.5 * minute);
  });

  it('learn pairs of messages and name the one that is missing', () => {
    const first = steady(7, 23, 'job 7 started', 5, [[0, 90]]);
    const second = first
      .filter(({ timeMs }) => timeMs < startMs + 60 * minute || timeMs > startMs + 70 * minute)
      .map(({ timeMs }) => ({ timeMs: timeMs + 700, severity: 9, slot: 24, body: 'job 7 finished' }));
    const driver = play(withMore(8, 90, [...first, ...second]));
    expect(found(driver)).toEqual(['sequence_broken']);
    const [broken] = driver.anomalies();
    expect(broken?.decidedAtMs).toBeLessThan(startMs + 62 * minute);
    expect(broken?.description).toMatch(
      / came \d+ times since [\d:]+ UTC without '.+', which usually comes about [67]\d\d ms later$/,
    );
  });

  it('raise the version of what is learned with every change of it, between windows too', () => {
    const first = steady(7, 23, 'job 7 started', 10, [[0, 63]]);
    const second = first
      .filter(({ timeMs }) => timeMs < startMs + 60 * minute)
      .map(({ timeMs }) => ({ timeMs: timeMs + 700, severity: 9, slot: 24, body: 'job 7 finished' }));
    const records = withMore(8, 63, [...first, ...second]);
    const from = records.findIndex(({ timeMs }) => timeMs > startMs + 60 * minute);
    const driver = new Driver().sendIn(records.slice(0, from), 200);
    const state = (): Buffer => serialize(driver.analysis.learnedState());
    let [before, version] = [state(), driver.analysis.learnedVersion];
    for (const record of records.slice(from)) {
      driver.send([record]);
      const after = state();
      if (!after.equals(before)) expect(driver.analysis.learnedVersion).toBeGreaterThan(version);
      [before, version] = [after, driver.analysis.learnedVersion];
    }
    expect(found(driver)).toEqual(['sequence_broken']);
  });

  it('tell a slow rise of errors and of times from sudden ones', () => {
    const slow = (at: number): number => Math.max(0, Math.min(1, (at - 60 * minute) / (40 * minute)));
    const errors = play(withMore(9, 100, [], { shape: (at: number) => ({ errors: 1 + 14 * slow(at) }) }));
    expect(found(errors)).toEqual(['error_creep']);
    expect(errors.anomalies()[0]?.description).toMatch(/^errors rose slowly to \S+ ?.* from a typical .+ over /);
    // 2 % every 5 minutes.
    const creep = (at: number): number => 1.02 ** Math.max(0, (at - 60 * minute) / (5 * minute));
    const times = play(withMore(10, 120, [], { shape: (at: number) => ({ latency: creep(at) }) }));
    expect(found(times)).toEqual(['latency_creep']);
    expect(times.anomalies()[0]?.decidedAtMs).toBeLessThan(startMs + 100 * minute);
  });

  it('say that they go on until they end, and end whatever began', () => {
    const gone = steady(11, 22, 'index 7 rebuilt', 20, [
      [0, 60],
      [75, 100],
    ]);
    const shape = (at: number): { errors: number } => ({ errors: at > 40 * minute && at < 50 * minute ? 30 : 1 });
    const { out } = play(withMore(11, 100, gone, { shape }));
    const versions = Map.groupBy(out.anomalies, ({ anomalyId }) => anomalyId);
    expect([...versions.values()].map(([first]) => first?.detector ?? '').sort()).toEqual([
      'error_spike',
      'template_vanished',
    ]);
    for (const all of versions.values()) {
      expect(all.length).toBeGreaterThan(1);
      expect(all.map(({ open }) => open)).toEqual([...all.slice(1).map(() => true), false]);
    }
  });

  it('find times that rise 2 % an hour before they double', () => {
    const hours = 34;
    const driver = new Driver();
    for (let hour = 0; hour < hours; hour++) {
      const shape = (): { latency: number } => ({ latency: 1.02 ** Math.max(0, hour - 2) });
      const records = ordinary({ seed: hour, minutes: 60, rate: 1, shape, fromMs: startMs + hour * 60 * minute });
      driver.sendIn(records, 500);
    }
    expect(found(driver.end())).toContain('latency_creep');
  });

  it('name a new error, and no error spike beside it', () => {
    const fresh = steady(11, 30, 'unhandled failure in billing', 30, [[60, 65]]).map((one) => ({
      ...one,
      severity: 17,
    }));
    expect(found(play(withMore(12, 90, fresh)))).toEqual(['new_template']);
  });

  it('tell a drop of the volume from a silence, and neither from debug output that is switched off', () => {
    const drop = (at: number): { volume: number } => ({ volume: at > 60 * minute && at < 70 * minute ? 0.25 : 1 });
    expect(found(play(withMore(13, 90, [], { shape: drop })))).toEqual(['volume_drop']);
    const debug = steady(14, 31, 'cache probe 7', 300, [[0, 60]]).map((one) => ({ ...one, severity: 5 }));
    expect(found(play(withMore(15, 90, debug)))).toEqual([]);
  });

  it.each([
    [25, 0],
    [25, 1],
    [25, 3],
    [25, 5],
    [25, 20],
    [12, 2],
    [11, 16],
    [10, 0],
    [8, 1],
  ])('take a restart of %i s for no drop, %i s into a window', (seconds, offset) => {
    const fromMs = startMs + 45 * minute + offset * second;
    const records = ordinary({ seed: 1, minutes: 50, rate: 5 });
    const left = records.filter(({ timeMs }) => timeMs < fromMs || timeMs >= fromMs + seconds * second);
    expect(found(play(left))).toEqual([]);
  });

  it('take the errors that more traffic brings for no spike', () => {
    const surge = (at: number): { volume: number } => ({ volume: at > 60 * minute && at < 68 * minute ? 6 : 1 });
    expect(found(play(withMore(16, 90, [], { shape: surge })))).toEqual(['volume_surge']);
  });

  it('name a rare message that goes on, whatever lumps of it came before', () => {
    const rare = steady(17, 22, 'index 7 rebuilt', 0.2, [[0, 90]]);
    const lumps = [20, 35, 50].flatMap((at) =>
      Array.from({ length: 20 }, (_, i) => ({ ...(rare[0] as TestRecord), timeMs: startMs + at * minute + i * 200 })),
    );
    const burst = steady(18, 22, 'index 7 rebuilt', 40, [[60, 64]]);
    expect(found(play(withMore(19, 90, [...rare, ...lumps, ...burst])))).toEqual(['template_burst']);
  });

  it('follow the time at the end of a message with many numbers', () => {
    const random = randomOf(20);
    const records = Array.from({ length: 90 * 60 }, (_, second) => {
      const took = 40 * (second > 3600 ? 2 : 1) * Math.exp(0.3 * (random() + random() - 1));
      const others = Array.from({ length: 4 }, () => 1 + Math.floor(1000 * random()));
      const timeMs = startMs + second * 1000;
      return { timeMs, severity: 9, slot: 0, body: 'took', numbers: [...others, took] };
    });
    expect(found(play(records))).toEqual(['latency_shift']);
  });
});
