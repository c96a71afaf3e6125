import { beforeAll, describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { KeyedSequenceDetector, type KeyedSequenceOptions, type SequenceVerdict } from '../mod.ts';
import { SequenceClock } from './clock.ts';
import { type SequenceWorld, sequenceWorld } from './world.fixture.ts';

const run = (options: KeyedSequenceOptions, lines: readonly string[]): SequenceVerdict[] => {
  const detector = new KeyedSequenceDetector(options);
  return [...lines.flatMap((line) => detector.line(line)), ...detector.end()];
};
/** The last verdict on each key. */
const last = (verdicts: readonly SequenceVerdict[]): Map<string, SequenceVerdict> =>
  new Map(verdicts.map((verdict) => [verdict.key, verdict]));
const odd = (verdicts: readonly SequenceVerdict[]): string[] =>
  [...last(verdicts).values()].filter(({ anomalous }) => anomalous).map(({ key }) => key);
const stamp = (second: number): string => new Date(Date.UTC(2024, 4, 1) + second * 1000).toISOString();

describe('KeyedSequenceDetector', () => {
  function requests(keys: number, oddOnes: ReadonlySet<number>): string[] {
    const result: string[] = [];
    for (let i = 0; i < keys; i++) {
      const key = `req-${1000 + i}`;
      result.push(`start of ${key} from 10.0.0.${i % 200}`);
      if (!oddOnes.has(i) || i % 2 === 0) result.push(`stored ${key} in ${i % 70} ms`);
      if (oddOnes.has(i) && i % 2 === 0) result.push(`rollback of ${key}: checksum differs`);
      for (let j = 0; j < i % 4; j++) result.push(`reading ${key} part ${j}`);
      result.push(`end of ${key}`);
    }
    return result;
  }
  const oddOnes = new Set([101, 240, 377]);

  it('finds keys with a rare message or without a usual one', () => {
    const verdicts = run({ key: 'req-\\d+' }, requests(600, oddOnes));
    expect(last(verdicts).size).toBe(600);
    expect(odd(verdicts).sort()).toEqual(['req-1101', 'req-1240', 'req-1377']);
    for (const { score } of verdicts) expect(score >= 0 && score <= 1).toBe(true);
    expect(last(verdicts).get('req-1240')?.why).toMatch(
      /^has 'rollback of <\*>: checksum differs', as 0\.\d % of keys$/,
    );
    expect(last(verdicts).get('req-1101')?.why).toContain("without 'stored <*>");
  });

  it('passes over lines without a key, counts them, and refuses a key that is no expression', () => {
    const detector = new KeyedSequenceDetector({ key: 'req-\\d+' });
    expect(detector.line('nothing here')).toEqual([]);
    expect(detector.end()).toEqual([]);
    expect(detector.counts).toMatchObject({ lines: 1, keyless: 1 });
    expect(() => new KeyedSequenceDetector({ key: '(' })).toThrow(LogweirError);
    expect(() => new KeyedSequenceDetector({ key: '(?<=a)b' })).toThrow(/is no regular expression/);
  });

  it('takes a line with several keys as a line of each', () => {
    const lines = Array.from({ length: 200 }, (_, i) => [
      `${stamp(2 * i)} open b${2 * i} and b${2 * i + 1}`,
      `${stamp(2 * i + 1)} close b${2 * i}${i === 150 ? '' : ` and b${2 * i + 1}`}`,
    ]).flat();
    const verdicts = run({ key: 'b\\d+' }, lines);
    expect(last(verdicts).size).toBe(400);
    expect(odd(verdicts).sort()).toEqual(['b300', 'b301']);
  });

  it('never lets a key become part of a message', () => {
    const names = 'amber birch cedar delta ember fjord grove heath inlet jetty'.split(' ');
    const lines = Array.from({ length: 300 }, (_, i) => {
      const key = `${names[i % 10]}${names[Math.floor(i / 10) % 10]}${names[Math.floor(i / 100)]}`;
      return [`user=${key} came`, `user=${key} went`];
    }).flat();
    const verdicts = run({ key: 'user=([a-z]+)' }, lines);
    expect(last(verdicts).size).toBe(300);
    expect(odd(verdicts)).toEqual([]);
  });

  it('tells a key that stopped half-way while the input still runs, and keys in flight at its end not at all', () => {
    const detector = new KeyedSequenceDetector({ key: 'job-\\d+' });
    const told: [line: number, verdict: SequenceVerdict][] = [];
    const events: { second: number; text: string }[] = [];
    for (let i = 0; i < 400; i++) {
      const steps = i === 250 ? ['queued', 'started'] : ['queued', 'started', 'copied', 'done'];
      steps.forEach((step, j) => {
        const second = 5 * i + 3 * j + ((i * 7) % 3);
        events.push({ second, text: `${stamp(second)} job-${i} ${step}` });
      });
    }
    events.sort((a, b) => a.second - b.second);
    const lines = events.filter(({ second }) => second < 1990).map(({ text }) => text);
    lines.forEach((line, at) => {
      for (const verdict of detector.line(line)) told.push([at, verdict]);
    });
    const early = told.filter(([, { anomalous }]) => anomalous);
    expect(early.map(([, { key }]) => key)).toEqual(['job-250']);
    const stoppedAt = lines.findIndex((line) => line.includes('job-250 started'));
    const toldMs = Date.parse(lines[early[0]?.[0] as number]?.slice(0, 24) as string);
    expect(toldMs - Date.parse(lines[stoppedAt]?.slice(0, 24) as string)).toBeLessThan(120_000);
    expect(odd(detector.end())).toEqual([]);
  });

  it('judges a key again that goes on after its end', () => {
    const lines: string[] = [];
    for (let i = 0; i < 300; i++) {
      lines.push(`${stamp(10 * i)} job-${i} began`, `${stamp(10 * i + 1)} job-${i} ended`);
      if (i === 250) lines.push(`${stamp(10 * i + 2)} job-100 fell apart`);
    }
    const verdicts = run({ key: 'job-\\d+' }, lines).filter(({ key }) => key === 'job-100');
    expect(verdicts).toHaveLength(2);
    expect(verdicts[0]).toMatchObject({ anomalous: false });
    expect(verdicts[1]).toMatchObject({ anomalous: true, revised: true });
  });

  it('reads the message, not the object, of lines in JSON', () => {
    const lines = Array.from({ length: 300 }, (_, i) => {
      const say = (second: number, message: string): string =>
        JSON.stringify({ timestamp: stamp(5 * i + second), service: 'shop', level: 'info', trace: `t-${i}`, message });
      return [say(0, 'order taken'), say(1, i === 200 ? 'card refused' : 'card charged'), say(2, 'order closed')];
    }).flat();
    const verdicts = run({ key: 't-\\d+' }, lines);
    expect(odd(verdicts)).toEqual(['t-200']);
    expect(last(verdicts).get('t-200')?.why).toContain('card');
  });

  it('waits for lines that come late and out of order', () => {
    const of = (host: string, from: number): string[] =>
      Array.from({ length: 400 }, (_, i) => `${stamp(i)} ${host} handled r${i + from}`);
    // Two hosts, the files of which come one after the other in pieces of 100 s.
    const lines: string[] = [];
    for (let at = 0; at < 400; at += 100) {
      lines.push(...of('front door', 0).slice(at, at + 100), ...of('back office', 0).slice(at, at + 100));
    }
    const verdicts = run({ key: 'r\\d+' }, lines);
    expect(odd(verdicts)).toEqual([]);
    expect(last(verdicts).size).toBe(400);
  });

  it('says nothing of what is missing where times can be read no more', () => {
    const lines = Array.from({ length: 300 }, (_, i) => {
      const at = (second: number): string => (i < 60 ? stamp(5 * i + second) : 'some time');
      return [`${at(0)} began j${i}`, ...(i % 2 === 0 && i > 200 ? [] : [`${at(1)} ended j${i}`])];
    }).flat();
    expect(odd(run({ key: 'j\\d+' }, lines))).toEqual([]);
  });

  it('is bounded: hostile keys are forgotten, counted and told once', () => {
    const detector = new KeyedSequenceDetector({ key: 'k[0-9]+', keysMax: 100 });
    const verdicts: SequenceVerdict[] = [];
    for (let i = 0; i < 5000; i++) verdicts.push(...detector.line(`${stamp(i / 1000)} touched k${i}`));
    expect(detector.counts.forgotten).toBeGreaterThanOrEqual(4900);
    expect(detector.counts.forgotten).toBeLessThan(4910);
    expect(detector.held).toBeLessThan(3000);
    verdicts.push(...detector.end());
    expect(verdicts).toHaveLength(5000);
    expect(verdicts.filter(({ anomalous }) => anomalous)).toEqual([]);
    expect(JSON.stringify(detector.snapshot()).length).toBeLessThan(100_000);
  });

  it('is bounded where forgotten keys were awaited for long', () => {
    const detector = new KeyedSequenceDetector({ key: 'k[0-9]+', keysMax: 50 });
    for (let i = 0; i < 200; i++) detector.line(`${stamp(0)} opened k${i % 40}`);
    for (let i = 0; i < 5000; i++) detector.line(`${stamp(1)} opened k${i}`);
    expect(JSON.stringify(detector.snapshot()).length).toBeLessThan(50_000);
    expect(detector.held).toBeLessThan(3000);
  });

  it('leaves out the rest of a key that was forgotten open', () => {
    const detector = new KeyedSequenceDetector({ key: 'k\\d+', keysMax: 10 });
    for (let i = 0; i < 20; i++) detector.line(`${stamp(0)} opened k${i}`);
    expect(detector.line(`${stamp(1)} closed k3`)).toEqual([]);
    expect(detector.counts).toMatchObject({ forgottenOpen: 10, stray: 1 });
  });
});

describe('a world of flows with branches, loops, side steps, a deploy and faults', () => {
  let world: SequenceWorld;
  beforeAll(() => {
    world = sequenceWorld(3, { keys: 3000 });
  });
  const counted = (
    of: SequenceWorld,
    found: ReadonlySet<string>,
  ): { falseAlarms: number; missed: number; f1: number } => {
    const faults = [...of.truth].flatMap(([key, fault]) => (fault === undefined ? [] : [key]));
    const hits = faults.filter((key) => found.has(key)).length;
    return {
      falseAlarms: found.size - hits,
      missed: faults.length - hits,
      f1: (2 * hits) / (found.size + faults.length),
    };
  };

  it.each([1, 2, 3])('finds the faults and nothing else, seed %i', (seed) => {
    const other = sequenceWorld(seed, { keys: 3000 });
    const { f1, falseAlarms } = counted(other, new Set(odd(run({ key: other.key }, other.lines))));
    expect(f1).toBeGreaterThan(0.93);
    expect(falseAlarms).toBeLessThanOrEqual(3);
  });

  it('says nothing where there are no faults', () => {
    const sound = sequenceWorld(5, { keys: 3000, faultShare: 0 });
    expect(odd(run({ key: sound.key }, sound.lines)).length).toBeLessThanOrEqual(3);
  });

  it('takes keys for sound that the end or the beginning of the input cuts in two', () => {
    const middle = world.lines.slice(world.lines.length * 0.31, world.lines.length * 0.83);
    const { falseAlarms } = counted(world, new Set(odd(run({ key: world.key }, middle))));
    expect(falseAlarms).toBeLessThanOrEqual(3);
  });

  it('answers alike every time, and goes on alike from a snapshot', () => {
    const options = { key: world.key, keysMax: 700 };
    const whole = run(options, world.lines);
    let detector = new KeyedSequenceDetector(options);
    const parts: SequenceVerdict[] = [];
    world.lines.forEach((line, i) => {
      if (i % 9001 === 5000) detector = KeyedSequenceDetector.restore(options, detector.snapshot());
      parts.push(...detector.line(line));
    });
    parts.push(...detector.end());
    expect(parts).toEqual(whole);
  });

  it('does not read the words', () => {
    const other = sequenceWorld(4, { keys: 3000 });
    const renamed = other.lines.map((line) =>
      line.replace(/(?<= )[a-z]{4,}(?= |$)/g, (word) => `${word.slice(2)}${word.slice(0, 2)}`),
    );
    expect(renamed[0]).not.toBe(other.lines[0]);
    expect(odd(run({ key: other.key }, renamed))).toEqual(odd(run({ key: other.key }, other.lines)));
  });
});

describe('SequenceClock', () => {
  it('counts lines while there are no times, and is not moved by one stamp far ahead', () => {
    const clock = new SequenceClock();
    clock.take('no time');
    clock.take('none either');
    expect(clock).toMatchObject({ nowMs: 2, isTimed: false });
    clock.take(`${stamp(0)} a`);
    clock.take('2099-01-01T00:00:00Z b');
    clock.take(`${stamp(5)} c`);
    expect(clock.nowMs).toBe(Date.parse(stamp(5)));
    clock.take(`${stamp(100_000)} d`);
    clock.take(`${stamp(100_001)} e`);
    expect(clock.nowMs).toBeGreaterThanOrEqual(Date.parse(stamp(100_000)));
  });
});
