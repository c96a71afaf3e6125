import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/mod.ts';
import { parseArguments } from './arguments.ts';
import { compare, total } from './counts.ts';
import { memorySlopes } from './memory-slope.ts';
import { refusedOf } from './overload.ts';
import { renderPayloads, stamp } from './payload.ts';
import { hopsOf, noteArrival, type Probe, probeBody } from './probes.ts';
import { costsBetween, parseUse } from './processes.ts';
import { type Counted, problemsOf } from './scenario.ts';
import { load, type Sender } from './sender.ts';
import { percentile, summarize } from './statistics.ts';

const args = (...argv: string[]) => parseArguments(argv, '/home/me');

describe('the command line', () => {
  it('has defaults for each scenario', () => {
    expect(args('throughput')).toEqual({
      scenario: 'throughput',
      json: false,
      seconds: 20,
      workers: 1,
      connections: 64,
      rate: 20_000,
      seed: 1,
      faults: 50,
      minutes: 10,
      only: [],
      oneService: false,
      profileDir: undefined,
    });
    expect(args('latency')?.seconds).toBe(30);
    expect(args('scale-out')).toMatchObject({ seconds: 10, workers: 3 });
    expect(args('faults', '--minutes', '0.5', '--faults', '8', '--seed', '7')).toMatchObject({
      minutes: 0.5,
      faults: 8,
      seed: 7,
      workers: 3,
    });
  });

  it('reads options before and after the scenario', () => {
    const given = args('--json', 'latency', '--rate=500', '--seconds', '3', '--workers', '2', '--profile', 'p');
    expect(given).toMatchObject({ json: true, rate: 500, seconds: 3, workers: 2, profileDir: '/home/me/p' });
  });

  it('gives help', () => {
    expect(args('--help')).toBeNull();
    expect(args('latency', '-h')).toBeNull();
  });

  it.each([
    [[], 'No scenario was named; there are throughput, latency, scale-out, overload, faults, recreated-stream'],
    [['thruput'], 'There is no scenario "thruput"'],
    [['latency', 'throughput'], 'There is no scenario "throughput"'],
    [['latency', '--seconds', '0'], '--seconds must be a whole number from 1 to 3600, not "0".'],
    [['faults', '--minutes', '0'], '--minutes must be a number over 0 and up to 10000, not "0".'],
    [['faults', '--only', 'nats,wroker'], 'not "wroker"'],
    [['latency', '--rate', 'fast'], '--rate must be a whole number from 100 to 10000000, not "fast".'],
    [['latency', '--wrokers', '2'], "Unknown option '--wrokers'."],
  ])('refuses %j', (argv, message) => {
    expect(() => args(...argv)).toThrow(message);
    expect(() => args(...argv)).toThrow(LogweirError);
  });
});

describe('payloads', () => {
  const options = { seed: 7, bodies: 3, linesPerBody: 20, regions: 2 };
  const [payload] = renderPayloads(options);
  if (payload === undefined) throw new Error('no payload');

  it('are as many as asked, and the same for the same seed', () => {
    const all = renderPayloads(options);
    expect(all).toHaveLength(3);
    expect(all.map(({ body }) => body.toString())).toEqual(renderPayloads(options).map(({ body }) => body.toString()));
    expect(all[0]?.body.toString()).not.toBe(all[1]?.body.toString());
  });

  it('are stamped on every line and changed nowhere else', () => {
    const timeMs = Date.UTC(2031, 1, 3, 4, 5, 6, 7);
    const before = parse(payload.body);
    const after = parse(stamp(payload, timeMs));
    expect(after).toHaveLength(20);
    expect(after.map((line) => line.timestamp)).toEqual(Array.from({ length: 20 }, () => '2031-02-03T04:05:06.007Z'));
    expect(after.map(rest)).toEqual(before.map(rest));
    expect(() => stamp(payload, Date.UTC(12_345, 0))).toThrow(RangeError);
  });

  it('count the lines of each service', () => {
    expect(total(payload.services)).toBe(20);
    for (const [service, count] of payload.services)
      expect(parse(payload.body).filter((line) => line.service === service)).toHaveLength(count);
  });
});

describe('statistics', () => {
  it('takes the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, n) => n + 1);
    expect([0.01, 0.5, 0.95, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 50, 95, 99, 100]);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('sums up in any order', () => {
    expect(summarize([30, 10.04, 20])).toEqual({ count: 3, p50: 20, p95: 30, p99: 30, max: 30 });
    expect(summarize([])).toBeNull();
  });
});

describe('counts', () => {
  it('cannot hide a loss behind a double', () => {
    const accepted = new Map(Object.entries({ a: 5, b: 5 }));
    expect(compare(accepted, new Map(accepted))).toEqual({ lost: 0, extra: 0 });
    expect(compare(accepted, new Map(Object.entries({ a: 4, b: 6 })))).toEqual({ lost: 1, extra: 1 });
    expect(compare(accepted, new Map(Object.entries({ a: 5, c: 2 })))).toEqual({ lost: 5, extra: 2 });
  });

  it('forgive a surplus only where requests ended badly', () => {
    const good: Counted = { accepted: 10, rejected: 0, stored: 10, lost: 0, extra: 0, refused: 0, unknown: 0 };
    expect(problemsOf(good, [])).toEqual([]);
    expect(problemsOf({ ...good, accepted: 0 }, [])).toEqual(['No record was accepted.']);
    expect(problemsOf({ ...good, lost: 2 }, ['HTTP 500: no'])).toEqual([
      'HTTP 500: no',
      '2 acknowledged records cannot be queried.',
    ]);
    expect(problemsOf({ ...good, extra: 2 }, [])).toEqual(['2 records are stored more often than sent.']);
    expect(problemsOf({ ...good, extra: 2, refused: 1 }, [])).toEqual([]);
  });
});

describe('process use', () => {
  const stat = `77 (node (x) y) S ${Array.from({ length: 10 }, () => '0').join(' ')} 250 150 0 0`;

  it('is read from /proc, whatever the name of the program', () => {
    expect(parseUse('gateway', 77, stat, 'Name:\tnode\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n')).toEqual({
      name: 'gateway',
      pid: 77,
      cpuSeconds: 4,
      peakRssMib: 200,
      rssMib: 100,
    });
  });

  it('counts from the first reading, or from the start of a process that came later', () => {
    const use = (pid: number, cpuSeconds: number) => ({ name: 'worker', pid, cpuSeconds, peakRssMib: 1, rssMib: 1 });
    const costs = costsBetween([use(1, 2)], [use(1, 5), use(2, 1)], 2_000_000);
    expect(costs.map(({ cpuSeconds, cpuSecondsPerMillion }) => [cpuSeconds, cpuSecondsPerMillion])).toEqual([
      [3, 1.5],
      [1, 0.5],
    ]);
  });
});

describe('memory under overload', () => {
  const series = (of: (second: number) => number) =>
    memorySlopes(
      Array.from({ length: 180 }, (_, second) => ({
        atMs: second * 1_000,
        use: [{ name: 'gateway', pid: 1, cpuSeconds: 0, peakRssMib: 0, rssMib: of(second) }],
      })),
    )[0];

  it('is flat where it only swings, or grew in the beginning', () => {
    expect(series((second) => 300 + 20 * Math.sin(second))).toMatchObject({ isFlat: true, name: 'gateway' });
    expect(series((second) => Math.min(300, 100 + second * 4))).toMatchObject({
      isFlat: true,
      startMib: 100,
      endMib: 300,
    });
  });

  it('is not where it goes on growing', () => {
    expect(series((second) => 200 + second)).toMatchObject({ isFlat: false, mibPerMinute: 60 });
  });

  it('is told beside what the gateway refused', () => {
    const text =
      'logweir_gateway_refused_share_total 7\nlogweir_gateway_syslog_pauses_total 3\nlogweir_gateway_requests_total 9\n';
    expect(refusedOf(text)).toEqual({ refused_share: 7, syslog_pauses: 3 });
  });
});

describe('the sender', () => {
  const payloads = renderPayloads({ seed: 1, bodies: 4, linesPerBody: 10, regions: 1 });
  const run = (answer: (n: number) => { status: number; text: string } | Error) => {
    let n = 0;
    const controller = new AbortController();
    const sender: Sender = {
      post: async () => {
        const one = answer(++n);
        if (n >= 4) controller.abort();
        if (one instanceof Error) throw one;
        return one;
      },
      close: () => {},
    };
    return load({ sender, payloads, connections: 1, durationMs: 60_000, signal: controller.signal });
  };
  const ok = { status: 200, text: '{"accepted":10,"rejected":0}' };

  it('counts what was acknowledged', async () => {
    const result = await run(() => ok);
    expect(result).toMatchObject({ requests: 4, refused: 0, unknown: 0, failures: [] });
    expect(total(result.accepted)).toBe(40);
    expect(result.postMs).toHaveLength(4);
  });

  it('sends again what was refused, and names what failed', async () => {
    const result = await run((n) =>
      n === 1 ? { status: 503, text: '' } : n === 2 ? ok : n === 3 ? new Error('cut off') : { status: 400, text: 'no' },
    );
    expect(result).toMatchObject({ requests: 3, refused: 1, unknown: 10, failures: ['cut off', 'HTTP 400: no'] });
    expect(total(result.accepted)).toBe(10);
  });
});

describe('probes', () => {
  const probe = (): Probe => ({ service: 'probe-0001', eventMs: 1_000 });
  const receipt = { eventMs: 1_000, gatewayMs: 1_005, processingMs: 1_020, detectedMs: 1_021 };

  it('are one line each', () => {
    const text = probeBody(probe()).toString();
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ timestamp: '1970-01-01T00:00:01.000Z', service: 'probe-0001' });
  });

  it('give the time of every hop, from their first notification', () => {
    const probes = new Map([['probe-0001', probe()]]);
    noteArrival(probes, { alerts: [{ service: 'other' }], receipt }, 1_030);
    noteArrival(probes, { alerts: [{ service: 'probe-0001' }], receipt }, 1_040.5);
    noteArrival(probes, { alerts: [{ service: 'probe-0001' }], receipt }, 2_000);
    const hops = hopsOf(probes.values());
    expect(Object.values(hops).map((summary) => summary?.p99)).toEqual([5, 15, 1, 19.5, 20.5, 40.5]);
  });

  it('that did not arrive give none', () => {
    expect(hopsOf([probe()]).totalMs).toBeNull();
  });
});

interface Line {
  timestamp: string;
  service: string;
}

function parse(body: Buffer): Line[] {
  return body
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function rest({ timestamp, ...others }: Line): Omit<Line, 'timestamp'> {
  return timestamp === '' ? { service: '' } : others;
}
