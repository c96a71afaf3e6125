import { describe, expect, it } from 'vitest';
import { pack, unpack } from '#protocol/frame.ts';
import { type MinedRecord, MinedDriver } from './mined-driver.fixture.ts';
import { poissonOf, randomOf, startMs } from './test-stream.ts';

const minute = 60_000;

interface World {
  seed: number;
  minutes?: number;
  /** Records a second. */
  rate?: number;
  body: (random: () => number, minute: number) => string;
}

/** A service that says this and a few other things. */
function world({ seed, minutes = 120, rate = 1, body }: World): MinedRecord[] {
  const random = randomOf(seed);
  const records: MinedRecord[] = [];
  for (let second = 0; second < minutes * 60; second++) {
    const add = (mean: number, text: () => string): void => {
      for (let n = poissonOf(random, mean); n > 0; n--)
        records.push({ timeMs: startMs + second * 1000 + Math.floor(random() * 1000), body: text() });
    };
    add(rate, () => body(random, second / 60));
    add(0.5, () => `heartbeat of worker ${Math.floor(random() * 20)} received`);
    add(0.2, () => `compaction of segment ${Math.floor(random() * 1e6)} took ${Math.floor(random() * 90)} ms`);
  }
  return records.sort((a, b) => a.timeMs - b.timeMs);
}

function pick(random: () => number, shares: Record<string, number>): string {
  let at = random() * Object.values(shares).reduce((sum, share) => sum + share, 0);
  for (const [value, share] of Object.entries(shares)) if ((at -= share) < 0) return value;
  return Object.keys(shares)[0] as string;
}

const play = (records: readonly MinedRecord[]): MinedDriver => new MinedDriver().sendIn(records, 300).end();
const found = (driver: MinedDriver): string[] => driver.anomalies().map(({ detector }) => detector);
const hex = (random: () => number): string =>
  Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');

describe('a new value in a place of few', () => {
  it.each([1, 2, 3])('finds a status code that never was, and when it goes (seed %i)', (seed) => {
    const usual = { 200: 80, 304: 15, 404: 5 };
    const driver = play(
      world({
        seed,
        rate: 4,
        body: (random, at) =>
          `GET /items/${Math.floor(random() * 900)} answered status=${pick(random, at > 80 && at < 90 ? { ...usual, 503: 25 } : usual)} id ${hex(random)}`,
      }),
    );
    expect(found(driver)).toEqual(['new_value']);
    const [one] = driver.anomalies();
    expect(one?.decidedAtMs).toBeLessThan(startMs + 82 * minute);
    expect(one?.endMs).toBeLessThan(startMs + 92 * minute);
    expect(one?.endMs).toBeGreaterThan(startMs + 88 * minute);
    expect(one?.description).toMatch(
      /^'503' is new in 'GET .+', where only .+ came in at least .+ before; first seen .+ UTC, since then in [12]\d % of them$/,
    );
    expect(one?.samples[0]).toContain('status=503');
  });

  it('finds a state among words that are a template each', () => {
    const driver = play(
      world({
        seed: 4,
        body: (random, at) =>
          `breaker of pool ${Math.floor(random() * 9)} is ${pick(random, at > 80 ? { CLOSED: 5, HALF_OPEN: 1, TRIPPED: 3 } : { CLOSED: 5, HALF_OPEN: 1 })} now`,
      }),
    );
    expect(found(driver)).toEqual(['new_value']);
    expect(driver.anomalies()[0]?.description).toMatch(
      /^'TRIPPED' is new in .* where only 'CLOSED' and 'HALF_OPEN' came/,
    );
  });

  it.each<[string, World['body']]>([
    [
      'ids, users, hosts and versions',
      (random, at) =>
        `user=u${Math.floor(random() * 30 + at)} host=web-${Math.floor(random() * (at > 80 ? 9 : 4))} version=1.${Math.floor(at / 30)}.0 id=${hex(random)} logged in`,
    ],
    [
      'counts and sizes',
      (random, at) =>
        `batch of ${100 + Math.floor(random() * (at > 80 ? 9 : 5))} rows in ${100 * Math.floor(1 + random() * (at > 80 ? 6 : 3))} ms`,
    ],
    [
      'a value that comes once',
      (random, at) => `mode=${at > 80 && at < 80.02 ? 'drain' : pick(random, { fast: 1, slow: 1 })} chosen`,
    ],
    [
      'a word for another',
      (random, at) =>
        `job finished state=${pick(random, at > 80 ? { done: 5, skipped: 1 } : { completed: 5, skipped: 1 })} ok`,
    ],
    [
      'names that keep coming',
      (random, at) => `tenant=${'abcdefgh'[Math.floor((random() * (at + 20)) / 20)]}corp report sent`,
    ],
    [
      'a message that is one of many with a verb',
      (random, at) =>
        `order ${Math.floor(random() * 900)} ${pick(random, at > 80 ? { placed: 3, paid: 2, refunded: 1 } : { placed: 3, paid: 2 })}`,
    ],
  ])('says nothing of %s', (_, body) => {
    for (const seed of [5, 6]) expect(found(play(world({ seed, body })))).not.toContain('new_value');
  });

  it('goes on from a snapshot at any message, bit for bit', () => {
    const records = world({
      seed: 7,
      minutes: 60,
      body: (random, at) =>
        `ping status=${pick(random, at > 45 && at < 52 ? { 200: 5, 404: 2, 500: 3 } : { 200: 5, 404: 2 })} done`,
    });
    const straight = new MinedDriver();
    const forked = new MinedDriver();
    const random = randomOf(8);
    for (let at = 0; at < records.length; ) {
      const batch = records.slice(at, (at += 1 + Math.floor(random() * 200)));
      straight.send(batch);
      forked.send(batch);
      const state = pack(straight.snapshot());
      expect(Buffer.compare(state, pack(forked.snapshot()))).toBe(0);
      forked.restore(unpack(state));
    }
    expect(found(straight.end())).toEqual(['new_value']);
    expect(forked.end().anomalies()).toEqual(straight.anomalies());
  });
});
