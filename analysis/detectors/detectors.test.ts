import { describe, expect, it } from 'vitest';
import { Driver, ordinary, randomOf, startMs, type TestRecord } from './test-stream.ts';

const second = 1000;
const minute = 60 * second;
const off = { enabled: false };
const onlySequences = {
  detectors: {
    errorSpike: off,
    silence: off,
    volumeDrop: off,
    volumeSurge: off,
    templateVanished: off,
    templateBurst: off,
    sequenceBroken: off,
    newTemplate: off,
    latency: off,
    multivariate: off,
  },
};

function at(offsetMs: number, body: string, severity = 9, slot = 0): TestRecord {
  return { timeMs: startMs + offsetMs, severity, slot, body };
}
const found = (driver: Driver): string[] =>
  driver.anomalies().map(({ detector, subject }) => `${detector} ${subject}`.trim());

describe('sequence_match', () => {
  const config = {
    ...onlySequences,
    sequences: [
      {
        name: 'abc',
        steps: [{ contains: ['alpha'] }, { contains: ['beta'] }, { contains: ['gamma'], severityMin: 13 }],
        withinMs: 20_000,
      },
    ],
  };
  const play = (...records: TestRecord[]): Driver => new Driver({ config }).sendIn(records, 2).end();

  it('finds the steps in order of event time, whatever order they came in', () => {
    const driver = play(at(4000, 'beta'), at(2000, 'alpha'), at(6500, 'x'), at(6000, 'gamma', 13), at(60_000, 'y'));
    expect(found(driver)).toEqual(['sequence_match abc']);
    expect(driver.anomalies()[0]).toMatchObject({
      startMs: startMs + 2000,
      endMs: startMs + 6000,
      actual: 1,
      samples: ['alpha', 'beta', 'gamma'],
    });
  });

  it('finds nothing out of order, too far apart, or with a step missing', () => {
    expect(found(play(at(0, 'beta'), at(1000, 'alpha'), at(2000, 'gamma', 13)))).toEqual([]);
    expect(found(play(at(0, 'alpha'), at(1000, 'beta'), at(20_001, 'gamma', 13)))).toEqual([]);
    expect(found(play(at(0, 'alpha'), at(1000, 'beta'), at(2000, 'gamma', 9)))).toEqual([]);
    expect(found(play(at(0, 'alpha beta gamma', 17)))).toEqual([]);
  });

  it('takes the latest start and counts repeats into one finding', () => {
    const round = (ms: number) => [at(ms, 'alpha'), at(ms + 500, 'beta'), at(ms + 900, 'gamma', 13)];
    const driver = play(at(0, 'alpha'), ...round(15_000), ...round(25_000), ...round(300_000));
    expect(driver.anomalies().map(({ actual, startMs: start }) => [actual, start - startMs])).toEqual([
      [2, 15_000],
      [1, 300_000],
    ]);
    expect(driver.anomalies()[0]?.description).toMatch(
      /^sequence abc seen 2 times, last within 900 ms at [\d:]+ UTC: '.+' → '.+' → '.+'$/,
    );
  });
});

describe('sequences with bounds', () => {
  const order = { name: 'order', steps: [{ contains: ['order placed'] }], withinMs: 20_000 };
  const play = (sequence: object, ...records: TestRecord[]): Driver =>
    new Driver({ config: { ...onlySequences, sequences: [sequence] } }).sendIn(records, 2).end();
  const unpaid = { ...order, without: { contains: ['paid'] } };

  it('find A without B within a time, and count what goes on into one finding', () => {
    const driver = play(
      unpaid,
      at(0, 'order placed'),
      at(5_000, 'paid'),
      at(30_000, 'order placed'),
      at(31_000, 'order placed'),
      at(40_000, 'paid'),
      at(52_000, 'paid'),
      at(90_000, 'x'),
    );
    expect(found(driver)).toEqual(['sequence_broken order']);
    expect(driver.anomalies()[0]).toMatchObject({
      startMs: startMs + 31_000,
      decidedAtMs: startMs + 51_000,
      actual: 1,
      description: expect.stringMatching(
        /^sequence order broken once: '.+' not followed by 'paid' within 20 s, at [\d:]+ UTC$/,
      ),
    });
  });

  it('do not judge what has not run out, and take B in order of event time', () => {
    expect(found(play(unpaid, at(0, 'order placed'), at(15_000, 'x')))).toEqual([]);
    expect(found(play(unpaid, at(0, 'order placed'), at(24_000, 'x'), at(20_000, 'paid'), at(60_000, 'x')))).toEqual(
      [],
    );
  });

  it('wait no longer than a service that falls silent does', () => {
    const driver = new Driver({ config: { ...onlySequences, sequences: [unpaid] }, live: true });
    driver.send([at(0, 'order placed')]);
    for (let ms = 5_000; ms <= 70_000; ms += 5_000) driver.tick(startMs + ms);
    expect(found(driver)).toEqual(['sequence_broken order']);
  });

  it('hold pauses within their bounds, whichever start fits', () => {
    const steps = [{ contains: ['alpha'] }, { contains: ['beta'] }];
    const spaced = { name: 'ab', steps, withinMs: 60_000, gapMsMin: 5_000, gapMsMax: 10_000 };
    expect(found(play(spaced, at(0, 'alpha'), at(4_000, 'alpha'), at(6_000, 'beta'), at(60_000, 'x')))).toHaveLength(1);
    expect(found(play(spaced, at(0, 'alpha'), at(4_999, 'beta'), at(60_000, 'x')))).toEqual([]);
    expect(found(play(spaced, at(0, 'alpha'), at(10_001, 'beta'), at(60_000, 'x')))).toEqual([]);
  });

  it('continue from a snapshot between A and the end of the wait', () => {
    const first = new Driver({ config: { ...onlySequences, sequences: [unpaid] } });
    first.send([at(0, 'order placed'), at(10_000, 'x')]);
    const second = first.fork(structuredClone(first.analysis.snapshot()));
    for (const driver of [first, second]) driver.send([at(60_000, 'x')]);
    expect(found(second)).toEqual(['sequence_broken order']);
    expect(second.anomalies()).toEqual(first.anomalies());
  });
});

describe('rules', () => {
  const quiet = { ...onlySequences, sequences: [] };

  it('judge a threshold for N of M windows and say so once', () => {
    const rules = [{ name: 'errors', field: 'errorCount', op: '>=', value: 2, windows: 2, of: 3, score: 90 }];
    const driver = new Driver({ config: { ...quiet, rules } });
    const errors = (ms: number) => [at(ms, 'e', 17, 5), at(ms + 1, 'e', 17, 5)];
    driver.send([...errors(0), at(31_000, 'x'), ...errors(61_000), ...errors(91_000), at(400_000, 'x')]);
    driver.end();
    expect(found(driver)).toEqual(['rule errors']);
    expect(driver.anomalies()[0]).toMatchObject({ score: 90, actual: 2, typical: 2 });
    expect(driver.anomalies()[0]?.description).toContain('errors 2, limit >= 2, in 2 of 3 windows since');
  });

  it('see the absence of a message and its return', () => {
    const rules = [{ name: 'heartbeat', kind: 'absence', match: { contains: ['heartbeat'] }, withinMs: 60_000 }];
    const driver = new Driver({ config: { ...quiet, rules } });
    for (let s = 0; s < 300; s += 5) driver.send([at(s * second, s < 100 || s > 220 ? 'Heartbeat ok' : 'other')]);
    driver.end();
    expect(found(driver)).toEqual(['rule heartbeat']);
    expect(driver.anomalies()[0]).toMatchObject({ startMs: startMs + 95 * second });
    expect(driver.anomalies()[0]?.endMs).toBeLessThanOrEqual(startMs + 240 * second);
  });

  it('count a pattern in a sliding time, at the record', () => {
    const rules = [{ name: 'refused', kind: 'pattern', match: { matches: 'refused$' }, value: 3, withinMs: 10_000 }];
    const driver = new Driver({ config: { ...quiet, rules } });
    for (const s of [0, 9, 18, 27]) driver.send([at(s * second, 'connection refused')]);
    expect(driver.out.anomalies).toEqual([]);
    for (const s of [28]) driver.send([at(s * second, 'connection refused')]);
    expect(driver.out.anomalies).toMatchObject([{ subject: 'refused', actual: 3, startMs: startMs + 18 * second }]);
  });

  it('apply to the services they name', () => {
    const rules = [{ name: 'any', field: 'logCount', op: '>', value: 0, service: 'pay*' }];
    for (const [service, count] of [
      ['payments', 1],
      ['search', 0],
    ] as const) {
      const driver = new Driver({ config: { ...quiet, rules }, service });
      driver.send([at(0, 'x')]);
      expect(driver.end().anomalies()).toHaveLength(count);
    }
  });
});

describe('new_template', () => {
  const base = ordinary({ seed: 2, minutes: 20, rate: 4 });
  const fresh = (ms: number, severity: number, slot: number) => at(ms, `unhandled failure ${slot}`, severity, slot);
  const play = (...more: TestRecord[]): Driver =>
    new Driver()
      .sendIn(
        [...base, ...more].sort((a, b) => a.timeMs - b.timeMs),
        100,
      )
      .end();

  it('tells a new error once it recurs, and those that come with it as one', () => {
    const t = 15 * minute;
    const driver = play(
      ...[0, 1, 2, 3].flatMap((s) => [fresh(t + s * second, 17, 40), fresh(t + s * second + 5, 17, 41)]),
    );
    const news = driver.anomalies().filter(({ detector }) => detector === 'new_template');
    expect(news).toMatchObject([{ startMs: startMs + t, decidedAtMs: startMs + t + 2 * second, score: 70 }]);
  });

  it('keeps quiet about lone, harmless and early ones', () => {
    const t = 15 * minute;
    const info = [0, 1, 2].map((s) => fresh(t + s * second, 9, 42));
    const early = [0, 1, 2].map((s) => fresh(minute + s * second, 17, 43));
    expect(found(play(fresh(t, 17, 44), ...info, ...early))).toEqual([]);
  });

  it('tells a fatal one at once', () => {
    expect(found(play(fresh(15 * minute, 21, 45)))[0]).toMatch(/^new_template /);
  });
});

describe('latency and multivariate', () => {
  it('find a higher level of the numbers in messages, as one incident', () => {
    const shape = (o: number) => ({ latency: o >= 40 * minute && o < 50 * minute ? 1.7 : 1 });
    const driver = new Driver().sendIn(ordinary({ seed: 6, minutes: 60, rate: 10, shape }), 500).end();
    expect(found(driver)).toEqual(['latency_shift']);
    const [shift] = driver.anomalies();
    expect((shift?.actual as number) / (shift?.typical as number)).toBeCloseTo(1.7, 0);
    expect(shift?.decidedAtMs).toBeLessThanOrEqual(startMs + 41.5 * minute);
    expect(shift?.influencers[0]?.name).toContain('ms');
    expect(shift?.samples.length).toBeGreaterThan(0);
  });

  it('take codes in a message that tells a time for no times, and still find the times', () => {
    const withCodes = (times: number): Driver => {
      const random = randomOf(6);
      const shape = (o: number) => ({ latency: o >= 40 * minute && o < 50 * minute ? times : 1 });
      const records = ordinary({ seed: 6, minutes: 60, rate: 10, shape }).map((record) => {
        if (record.slot !== 0) return record;
        const isOdd = record.timeMs >= startMs + 40 * minute && random() < 0.7;
        const code = isOdd || random() < 0.05 ? 503 : random() < 0.1 ? 404 : 200;
        return { ...record, numbers: [code, ...(record.numbers ?? [])] };
      });
      const driver = new Driver().sendIn(records.slice(0, 9_000), 500);
      return driver.fork(driver.analysis.snapshot()).sendIn(records.slice(9_000), 500).end();
    };
    expect(found(withCodes(1))).toEqual([]);
    expect(found(withCodes(1.7))).toEqual(['latency_shift']);
  });

  it('find a mix that no single feature shows', () => {
    const records = ordinary({ seed: 8, minutes: 60, rate: 10 });
    // Fewer records, more warnings and a new kind of debug output, none of them far out alone.
    const odd = records.flatMap((record, i) => {
      const o = record.timeMs - startMs;
      if (o < 50 * minute || o >= 52 * minute) return [record];
      if (i % 10 < 4) return [];
      return [i % 10 === 4 ? { ...record, severity: 13, slot: 50 + (i % 7) } : record];
    });
    const driver = new Driver({ config: { detectors: { newTemplate: off } } }).sendIn(odd, 500).end();
    expect(found(driver)).toEqual(['multivariate']);
    expect(driver.anomalies()[0]?.influencers.length).toBeGreaterThan(1);
    expect(driver.anomalies()[0]?.description).toMatch(
      /^an unusual mix for \d+ s since .* UTC: .+ (?:up|down) \(\d+ %\), .+ \(\d+ %\); .* times as far from the mean/,
    );
  });

  it('leave counters and settings alone', () => {
    const records = Array.from({ length: 7200 }, (_, i): TestRecord => {
      const numbers = [i * 3 + 1, i < 5000 ? 8080 : 80_800];
      return {
        timeMs: startMs + i * 500,
        severity: 9,
        slot: 1,
        body: `job ${numbers[0]} on port ${numbers[1]}`,
        numbers,
      };
    });
    expect(found(new Driver().sendIn(records, 500).end())).toEqual([]);
  });
});
