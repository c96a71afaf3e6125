import { describe, expect, it } from 'vitest';
import { pack, unpack } from '#protocol/frame.ts';
import { keyedWorld } from './world.fixture.ts';
import { type MinedRecord, MinedDriver } from '../mined-driver.fixture.ts';
import { poissonOf, randomOf, startMs } from '../test-stream.ts';

const minute = 60_000;

interface Options {
  seed: number;
  minutes?: number;
  /** Requests a second. */
  rate?: number;
  /** Steps of a request that begins at this minute, as [text, ms after the one before]; `#` is its id. */
  steps: (minute: number, random: () => number) => [text: string, lagMs: number][];
  /** Minutes at which the service restarts: 30 s of nothing, and what was under way is lost. */
  restarts?: number[];
}

const usual: [string, number][] = [
  ['begin of request # for cart 17', 0],
  ['stock of # checked in 12 ms', 60],
  ['payment for # captured', 300],
  ['commit # done', 40],
];
const without = (word: string): [string, number][] => usual.filter(([text]) => !text.includes(word));
const swapped = (): [string, number][] => [usual[0]!, usual[2]!, usual[1]!, usual[3]!];

function world({ seed, minutes = 100, rate = 0.7, steps, restarts = [] }: Options): MinedRecord[] {
  const random = randomOf(seed);
  const records: MinedRecord[] = [];
  const isDown = (ms: number): boolean => restarts.some((at) => ms >= at * minute && ms < at * minute + 30_000);
  const normal = (): number => random() + random() + random() - 1.5;
  for (let second = 0; second < minutes * 60; second++) {
    for (let n = poissonOf(random, rate); n > 0; n--) {
      const id = `r${Math.floor(random() * 2 ** 32).toString(36)}${Math.floor(random() * 1000)}`;
      const begin = second * 1000 + random() * 1000;
      let ms = begin;
      for (const [text, lagMs] of steps(second / 60, random)) {
        ms += lagMs * Math.exp(normal());
        if (isDown(ms) || restarts.some((at) => begin < at * minute && ms >= at * minute)) break;
        records.push({ timeMs: startMs + Math.floor(ms), body: text.replace('#', id) });
      }
    }
    for (let n = poissonOf(random, 0.4); n > 0; n--)
      records.push({ timeMs: startMs + second * 1000, body: `cache hit of user ${Math.floor(random() * 40)}` });
  }
  return records
    .map((record) => ({ record, at: record.timeMs + random() * 1500 }))
    .sort((a, b) => a.at - b.at)
    .map(({ record }) => record);
}

const play = (records: readonly MinedRecord[]): MinedDriver => new MinedDriver().sendIn(records, 300).end();
const found = (driver: MinedDriver): string[] => driver.anomalies().map(({ detector }) => detector);
const between = (at: number, from: number, to: number): boolean => at >= from && at < to;

describe('sequences that a key ties together', () => {
  it.each([1, 2, 3])('finds a step that stays away in a part of them, until it is back (seed %i)', (seed) => {
    const driver = play(
      world({
        seed,
        steps: (at, random) => (random() < (between(at, 60, 75) ? 0.3 : 0.002) ? without('commit') : usual),
      }),
    );
    expect(found(driver)).toEqual(['sequence_broken']);
    const [one] = driver.anomalies();
    expect(one?.decidedAtMs).toBeLessThan(startMs + 63 * minute);
    expect(one?.endMs).toBeGreaterThan(startMs + 73 * minute);
    expect(one?.endMs).toBeLessThan(startMs + 78 * minute);
    expect(one?.description).toMatch(
      /^'commit <\*> done' is missing after 'payment for <\*> captured', in \d+ of \d+ sequences since [\d:]+ UTC, usually in <1 %; for example r/,
    );
  });

  it.each([4, 5])('finds steps that change their order (seed %i)', (seed) => {
    const driver = play(
      world({ seed, steps: (at, random) => (between(at, 60, 70) && random() < 0.4 ? swapped() : usual) }),
    );
    expect(found(driver)).toEqual(['unusual_sequence']);
    expect(driver.anomalies()[0]?.description).toMatch(
      /comes before '.*' instead of after it, in \d+ of \d+ sequences/,
    );
  });

  it('follows trace ids where records have them', () => {
    const records = world({
      seed: 11,
      steps: (at, random) => (between(at, 60, 70) && random() < 0.4 ? without('stock') : usual),
    }).map((record) => {
      const id = /\br\w*\d\w*/.exec(record.body)?.[0] ?? '';
      return { ...record, body: record.body.replace(id, 'it'), traceId: id };
    });
    const driver = play(records);
    expect(found(driver)).toEqual(['sequence_broken']);
    expect(driver.anomalies()[0]?.description).toMatch(
      /^'stock of it checked .*' is missing after 'begin .* example r/,
    );
  });

  it('tells of the first of several steps that are missing', () => {
    const cut = usual.slice(0, 2);
    const driver = play(world({ seed: 6, steps: (at, random) => (at > 60 && random() < 0.4 ? cut : usual) }));
    expect(found(driver)).toEqual(['sequence_broken']);
    expect(driver.anomalies()[0]?.description).toMatch(/^'payment for <\*> captured' is missing after 'stock of/);
  });

  it.each<[string, Partial<Options>]>([
    ['requests as ever', { steps: () => usual }],
    ['a few that fail', { steps: (_, random) => (random() < 0.01 ? without('commit') : usual) }],
    ['restarts that cut what is under way', { steps: () => usual, rate: 2, restarts: [40, 60, 75, 76] }],
    ['steps side by side', { steps: (_, random) => (random() < 0.5 ? swapped() : usual) }],
    [
      'a step by another name',
      { steps: (at) => (at > 60 ? [...without('commit'), ['# was written to disk', 40]] : usual) },
    ],
    ['requests that get more', { steps: () => usual, rate: 2 }],
    ['optional steps', { steps: (_, random) => (random() < 0.3 ? without('stock') : usual) }],
  ])('says nothing of %s', (_, options) => {
    for (const seed of [7, 8]) {
      const names = found(play(world({ seed, steps: () => usual, ...options })));
      expect(names).not.toContain('unusual_sequence');
      expect(names).not.toContain('sequence_broken');
    }
  });

  it.each(['truncated', 'swapped', 'state'] as const)(
    'says the same however records are cut into messages (%s)',
    (fault) => {
      const records = keyedWorld(1, fault);
      const lasting = (driver: MinedDriver) =>
        driver
          .end()
          .anomalies()
          .map((row) => ({ ...row, version: 0 }));
      const whole = lasting(new MinedDriver().sendIn(records, 8192));
      expect(whole).toHaveLength(1);
      expect(lasting(new MinedDriver().sendIn(records, 7))).toEqual(whole);
    },
  );

  it('goes on from a snapshot at any message, bit for bit', () => {
    const records = world({
      seed: 9,
      minutes: 60,
      rate: 1.5,
      steps: (at, random) => (between(at, 45, 55) && random() < 0.5 ? swapped() : usual),
    });
    const straight = new MinedDriver();
    const forked = new MinedDriver();
    const random = randomOf(10);
    for (let at = 0; at < records.length; ) {
      const batch = records.slice(at, (at += 1 + Math.floor(random() * 300)));
      straight.send(batch);
      forked.send(batch);
      const state = pack(straight.snapshot());
      expect(Buffer.compare(state, pack(forked.snapshot()))).toBe(0);
      forked.restore(unpack(state));
    }
    expect(found(straight.end())).toEqual(['unusual_sequence']);
    expect(forked.end().anomalies()).toEqual(straight.anomalies());
  });
});
