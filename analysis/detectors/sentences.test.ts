/**
 * What people are paged with, kind by kind, over a made-up shop: the sentence when it is first told, and the last one.
 * `sentences.golden.txt` is read in reviews as one reads it at night; `-u` writes it anew.
 */
import { describe, expect, it } from 'vitest';
import { MinedDriver, type MinedRecord } from './mined-driver.fixture.ts';
import { Driver, ordinary, poissonOf, randomOf, startMs } from './test-stream.ts';

const minute = 60_000;

interface Shop {
  seed: number;
  minutes: number;
  config?: object;
  /** Factors at a minute: of all records, of errors, of times. */
  shape?: (at: number) => { volume?: number; errors?: number; times?: number; warns?: number };
  /** Records beside, for a second. */
  more?: (at: number, random: () => number) => (Partial<MinedRecord> & { body: string; afterMs?: number })[];
}

/** Ten records a second: requests that are served, users who log in, jobs that start and finish, a refusal now and then. */
function shop({ seed, minutes, shape, more }: Shop): MinedRecord[] {
  const random = randomOf(seed);
  const records: MinedRecord[] = [];
  for (let second = 0; second < minutes * 60; second++) {
    const at = second / 60;
    const { volume = 1, errors = 1, times = 1, warns = 1 } = shape?.(at) ?? {};
    const say = (mean: number, severity: number, body: () => string): void => {
      for (let n = poissonOf(random, mean); n > 0; n--)
        records.push({ timeMs: startMs + second * 1000 + Math.floor(1000 * random()), severity, body: body() });
    };
    const id = (): number => Math.floor(900 * random());
    const tookMs = (): number => Math.round(40 * times * Math.exp(0.4 * (random() + random() + random() - 1.5)));
    say(3 * volume, 9, () => `GET /items/${id()} served in ${tookMs()} ms`);
    say(1 * volume, 9, () => `user ${id()} logged in from 10.0.3.${id() % 250}`);
    say(0.2 * volume * warns, 13, () => `slow query on orders took ${10 * tookMs()} ms`);
    say(0.04 * volume * errors, 17, () => `connection to db-${id() % 3} refused after 3 attempts`);
    for (const { afterMs = Math.floor(1000 * random()), severity = 9, ...one } of more?.(at, random) ?? [])
      records.push({ timeMs: startMs + second * 1000 + afterMs, severity, ...one });
  }
  return records.sort((a, b) => a.timeMs - b.timeMs);
}

const between = (at: number, from: number, to: number): boolean => at >= from && at < to;
const rule = (name: string, more: object): object => ({ name, windows: 2, of: 3, ...more });

const shops: readonly (Shop & { kinds: readonly string[] })[] = [
  {
    kinds: ['error_spike', 'volume_drop', 'silence', 'volume_surge'],
    seed: 9,
    minutes: 110,
    shape: (at) => ({
      errors: between(at, 35, 38) ? 40 : 1,
      volume: between(at, 50, 54) ? 0.15 : between(at, 70, 74) ? 0 : between(at, 90, 95) ? 3 : 1,
    }),
  },
  {
    kinds: ['error_creep'],
    seed: 2,
    minutes: 100,
    shape: (at) => ({ errors: 1 + 30 * Math.max(0, Math.min(1, (at - 60) / 40)) }),
  },
  {
    kinds: ['latency_creep'],
    seed: 3,
    minutes: 110,
    shape: (at) => ({ times: 1.03 ** Math.max(0, (at - 50) / 5) }),
  },
  { kinds: ['latency_shift'], seed: 4, minutes: 70, shape: (at) => ({ times: between(at, 55, 62) ? 3.5 : 1 }) },
  {
    kinds: ['value_shift'],
    seed: 5,
    minutes: 70,
    more: (at, random) =>
      random() < 0.5
        ? [{ body: `basket stored with ${Math.round((at > 58 ? 90 : 12) * Math.exp(random() - 0.5))} articles` }]
        : [],
  },
  {
    kinds: ['new_template', 'template_burst', 'template_vanished', 'sequence_broken'],
    seed: 6,
    minutes: 110,
    more: (at, random) => [
      ...(between(at, 40, 44) && random() < 0.4
        ? [
            {
              severity: 17,
              body: `NullPointerException in invoice ${Math.floor(900 * random())}\n  at Invoices.total(Invoices.java:88)`,
            },
          ]
        : []),
      ...(random() < (between(at, 60, 64) ? 0.7 : 0.003)
        ? [{ body: `index ${Math.floor(90 * random())} rebuilt` }]
        : []),
      ...(random() < 0.3 && !between(at, 75, 85)
        ? [{ body: `mail to customer ${Math.floor(900 * random())} sent` }]
        : []),
      ...(random() < 0.1
        ? [
            { body: 'settlement started', afterMs: 100 },
            ...(between(at, 95, 103) ? [] : [{ body: 'settlement finished', afterMs: 800 }]),
          ]
        : []),
    ],
  },
  {
    kinds: ['new_value'],
    seed: 7,
    minutes: 100,
    more: (at, random) => {
      const roll = random();
      const code = between(at, 80, 90) && roll < 0.25 ? '503' : roll < 0.8 ? '200' : roll < 0.95 ? '304' : '404';
      return [{ body: `POST /pay/${Math.floor(900 * random())} answered status=${code}` }];
    },
  },
  ...(['commit', 'swapped'] as const).map((fault, i) => ({
    kinds: [fault === 'commit' ? 'sequence_broken' : 'unusual_sequence'],
    seed: 20 + i,
    minutes: 90,
    more: (at: number, random: () => number) => {
      if (random() > 0.6) return [];
      const id = `r${Math.floor(1e9 * random()).toString(36)}7q`;
      const odd = between(at, 60, 72) && random() < 0.4;
      const steps = [`begin checkout ${id}`, `payment for ${id} captured`, `commit ${id} done`];
      if (odd && fault === 'commit') steps.pop();
      if (odd && fault === 'swapped') [steps[1], steps[2]] = [steps[2] as string, steps[1] as string];
      return steps.map((body, n) => ({ body, afterMs: 50 + 120 * n }));
    },
  })),
  {
    kinds: ['rule', 'sequence_match', 'sequence_broken'],
    seed: 10,
    minutes: 20,
    config: {
      rules: [
        rule('many errors', { field: 'errorCount', op: '>', value: 20 }),
        rule('error share', { field: 'errorRate', op: '>=', value: 0.1 }),
        rule('warnings to info', { kind: 'ratio', field: 'warnCount', per: 'infoCount', op: '>', value: 0.3 }),
        rule('heartbeat', { kind: 'absence', match: { contains: ['heartbeat'] }, withinMs: 60_000 }),
        rule('refused', { kind: 'pattern', match: { contains: ['refused'] }, value: 5, withinMs: 10_000 }),
      ],
      sequences: [
        {
          name: 'disk full, then read-only',
          steps: [{ contains: ['disk is full'] }, { contains: ['read-only'] }],
          withinMs: 60_000,
        },
        {
          name: 'paid, then shipped',
          steps: [{ contains: ['is paid'] }],
          without: { contains: ['is shipped'] },
          withinMs: 30_000,
        },
      ],
    },
    shape: (at) => ({ errors: between(at, 8, 11) ? 40 : 1, warns: between(at, 12, 14) ? 9 : 1 }),
    more: (at, random) => [
      ...(random() < 0.3 && !between(at, 4, 7) ? [{ body: 'heartbeat' }] : []),
      ...(at === 15
        ? [{ body: 'disk is full on /var' }, { body: 'volume /var is read-only', afterMs: 999, severity: 17 }]
        : []),
      ...(at === 16 ? [{ body: 'order 17 is paid' }] : []),
    ],
  },
];

/** Fewer records, more warnings and new kinds of them, none of them far out alone. */
function mix(): Driver {
  const odd = ordinary({ seed: 8, minutes: 60, rate: 10 }).flatMap((record, i) => {
    if (!between(record.timeMs - startMs, 50 * minute, 52 * minute)) return [record];
    if (i % 10 < 4) return [];
    return [i % 10 === 4 ? { ...record, severity: 13, slot: 50 + (i % 7) } : record];
  });
  return new Driver({ config: { detectors: { newTemplate: { enabled: false } } } }).sendIn(odd, 500).end();
}

describe('sentences', () => {
  it('are what one would write who is on call', async () => {
    const lines: string[] = [];
    const plays = shops.map(({ kinds, config, ...world }) => ({
      kinds,
      play: () => new MinedDriver(config).sendIn(shop(world), 300).end(),
    }));
    for (const { kinds, play } of [...plays, { kinds: ['multivariate'], play: mix }]) {
      const driver = play();
      const first = new Map(driver.out.anomalies.toReversed().map((one) => [one.anomalyId, one]));
      for (const last of driver.anomalies()) {
        const { detector, anomalyId } = last;
        const opened = first.get(anomalyId)?.description ?? '';
        lines.push(
          detector,
          ...(opened === last.description ? [] : [`  first  ${opened}`]),
          `  last   ${last.description}`,
          '',
        );
      }
      const found = new Set(driver.anomalies().map(({ detector }) => detector));
      expect.soft(kinds.filter((kind) => !found.has(kind))).toEqual([]);
    }
    const text = lines.join('\n');
    expect(text).not.toMatch(
      /undefined|NaN|Infinity|\[object|(?<![\d.,])1 (?:times|records|messages|windows|sequences|more steps)\b/,
    );
    await expect(text).toMatchFileSnapshot('sentences.golden.txt');
  }, 120_000);
});
