import { pack, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { corpusOf, groupingAccuracy, makersOf, seeded, wildLine } from './corpus.fixture.ts';
import {
  type MinerSnapshot,
  mineAll,
  type Template,
  type TemplateConfig,
  TemplateMiner,
  templateDefaults,
} from './mod.ts';

const encoder = new TextEncoder();
const texts = (lines: string[]): string[] => [...mineAll(lines)].map((l) => l.template);
const allOf = (miner: TemplateMiner): (Template | undefined)[] =>
  Array.from({ length: miner.size }, (_, slot) => (miner.has(slot) ? miner.template(slot) : undefined));

/** Words without digits, so that every line is new to the masks. */
const newWord = (random: () => number): string =>
  Array.from({ length: 3 + Math.floor(random() * 4) }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join(
    '',
  );

function mixedLines(seed: number, size: number): Uint8Array[] {
  const random = seeded(seed);
  const shop = corpusOf('shop', seed, size).lines;
  return shop.map((line) => {
    const dice = random();
    if (dice < 0.1) return wildLine(random);
    if (dice < 0.3) return encoder.encode(`${newWord(random)} ${newWord(random)} happened to ${newWord(random)}`);
    if (dice < 0.4) return encoder.encode(`the ${newWord(random)} is lost`);
    return encoder.encode(line);
  });
}

describe('TemplateMiner', () => {
  it.each(Object.keys(makersOf) as (keyof typeof makersOf)[])('finds the messages of the corpus %s', async (name) => {
    const { lines, truth } = corpusOf(name, 7, 4000);
    const found = [...mineAll(lines)];
    const ids = found.map((f) => f.templateId);
    expect(groupingAccuracy(truth, ids)).toBeGreaterThan(0.97);
    const counts = new Map<string, number>();
    for (const { template } of found) counts.set(template, (counts.get(template) ?? 0) + 1);
    const listed = [...counts].sort(([, a], [, b]) => b - a).map(([text, count]) => `${count} ${text}`);
    await expect(`${listed.join('\n')}\n`).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it('knows bodies of several lines again after a restore', () => {
    const miner = new TemplateMiner();
    const body = 'panic in the handler\n  at foo\nCaused by a broken pipe';
    const slot = miner.mineText(body, 1);
    const restored = TemplateMiner.restore(templateDefaults, structuredClone(miner.snapshot()));
    expect(restored.mineText(body, 2)).toBe(slot);
    expect(restored.isNew).toBe(false);
  });

  it('keeps the id while the text generalises, and records merges', () => {
    const miner = new TemplateMiner();
    const first = miner.mineText('session of alice opened', 1000);
    const { id } = miner.template(first);
    expect(miner.takeChanged()).toEqual([first]);
    for (const name of ['bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'])
      miner.mineText(`session of ${name} opened`, 2000);
    const template = miner.template(miner.resolve(first));
    expect(template).toMatchObject({
      id,
      text: 'session of <*> opened',
      count: 8,
      firstSeenMs: 1000,
      lastSeenMs: 2000,
      mergedInto: -1,
    });
    const merged = allOf(miner).filter((t) => t?.mergedInto === first);
    expect(merged.length).toBeGreaterThan(0);
    expect(miner.takeChanged()).toEqual(expect.arrayContaining([first, ...merged.map((t) => t!.slot)]));
    expect(miner.takeChanged()).toEqual([]);
  });

  it('makes ids from content: another miner gives the same', () => {
    const [a, b] = [new TemplateMiner(), new TemplateMiner()];
    b.mineText('something else', 0);
    expect(a.template(a.mineText('disk is full', 5)).id).toBe(b.template(b.mineText('disk is full', 9)).id);
    expect(a.template(0).id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('finds numbers, with times in ms and sizes in bytes', () => {
    const miner = new TemplateMiner();
    const numbers = (line: string): number[] => {
      miner.mineText(line, 0);
      return [...miner.numbers.subarray(0, miner.numberCount)];
    };
    expect(numbers('took 12 ms')).toEqual([12]);
    expect(numbers('took 1.5s, wrote 2 KB')).toEqual([1500, 2048]);
    expect(numbers('latency=250us size=10 code=-7')).toEqual([0.25, 10, -7]);
    expect(numbers('from 10.0.0.1:80 at 12:00:01 id 0xff')).toEqual([]);
    expect(numbers('nothing')).toEqual([]);
    // A key is no unit of the number before it.
    expect(numbers('status=200 s=17 code 404 kb = 3')).toEqual([200, 17, 404, 3]);
    expect(numbers('status: 200 min: 5 code 404 h:1')).toEqual([200, 5, 404, 1]);
    expect(numbers('took 3 s: done, then 2 min')).toEqual([3000, 120_000]);
  });

  it.each([1, 2, 3])('goes on after restore exactly as if nothing had happened (seed %i)', (seed) => {
    const config: TemplateConfig = { ...templateDefaults, maxTemplates: seed === 3 ? 60 : 400, reviewLines: 64 };
    const lines = mixedLines(seed, 1500);
    const random = seeded(seed * 31);
    const original = new TemplateMiner(config);
    let fork = original;
    for (const [n, line] of lines.entries()) {
      if (random() < 0.02) {
        const bytes = pack(original.snapshot());
        fork = TemplateMiner.restore(config, unpack(bytes) as MinerSnapshot);
        expect(Buffer.compare(pack(fork.snapshot()), bytes)).toBe(0);
      }
      const slot = original.mine(line, 0, line.length, n);
      if (fork !== original) {
        expect(fork.mine(line, 0, line.length, n)).toBe(slot);
        if (random() < 0.05) expect(fork.takeChanged()).toEqual(original.takeChanged());
      }
    }
    expect(allOf(fork)).toEqual(allOf(original));
    expect(pack(fork.snapshot())).toEqual(pack(original.snapshot()));
  });

  it('gives the same answers with any cache', () => {
    const lines = mixedLines(9, 2000);
    const run = (cacheEntries: number): unknown => {
      const miner = new TemplateMiner({ ...templateDefaults, cacheEntries, maxTemplates: 200 });
      return [lines.map((line, n) => miner.mine(line, 0, line.length, n)), miner.snapshot()];
    };
    expect(run(1)).toEqual(run(16_384));
  });

  it('sees nothing beyond the body: neighbours in the buffer change no result', () => {
    const lines = [
      ...mixedLines(11, 1500),
      ...[
        'a=',
        'x:',
        'x:/',
        'a1b2',
        'a= b=',
        'p',
        'v:9',
        'C:',
        '"a',
        '5',
        '10:',
        'Mon',
        'Jan',
        '<1',
        '/',
        '.',
        '~',
        'a.b.c:1',
      ].map((l) => encoder.encode(l)),
    ];
    const random = seeded(12);
    const alone = new TemplateMiner();
    const within = new TemplateMiner();
    for (const line of lines) {
      for (const filler of ['=', '/', '"', ':', '5', 'a', ' ', '~', '\\', '.', '{', '>', '\n']) {
        const bytes = new Uint8Array(line.length + 6).fill(filler.charCodeAt(0));
        bytes.set(line, 3);
        const slot = within.mine(bytes, 3, 3 + line.length, 0);
        expect(slot).toBe(alone.mine(line, 0, line.length, 0));
        expect([...within.numbers.subarray(0, within.numberCount)]).toEqual([
          ...alone.numbers.subarray(0, alone.numberCount),
        ]);
        if (random() < 0.5) break;
      }
    }
    expect(within.snapshot()).toEqual(alone.snapshot());
  });

  it('stays within its bounds and counts what it evicts', () => {
    const random = seeded(4);
    const miner = new TemplateMiner({ ...templateDefaults, maxTemplates: 50 });
    for (let n = 0; n < 3000; n++) {
      const words = Array.from({ length: 1 + Math.floor(random() * 30) }, () => newWord(random));
      miner.mineText(words.join(' '), n);
    }
    expect(miner.size).toBeLessThanOrEqual(50);
    expect(miner.evicted).toBeGreaterThan(0);
  });

  it('takes any bytes', () => {
    const random = seeded(5);
    const miner = new TemplateMiner();
    for (let n = 0; n < 3000; n++) {
      const line = wildLine(random);
      expect(miner.mine(line, 0, line.length, n)).toBeGreaterThanOrEqual(0);
    }
    const large = new Uint8Array(256 * 1024).fill(0x61);
    for (const line of [new Uint8Array(0), new Uint8Array(5), Uint8Array.of(0xff, 0xfe, 0xc0), large]) {
      expect(() => miner.mine(line, 0, line.length, 0)).not.toThrow();
    }
  });

  it('lets traces of one error share a template', () => {
    const trace = (n: number): string =>
      `java.io.IOException: cannot read block ${n}\n\tat a.b.C.read(C.java:${n})\n\tat a.b.D.run(D.java:7)\nCaused by: java.net.SocketException: reset ${n}\n\tat x.Y.z(Y.java:1)\n\t... ${n} more\n`;
    const shorter =
      'java.io.IOException: cannot read block 5\n\tat a.b.Other.read(C.java:8)\nCaused by: java.net.SocketException: reset 12\n\tat x.Y.z(Y.java:1)';
    const found = texts([trace(1), trace(2), shorter]);
    expect(found[0]).toBe(
      'java.io.IOException: cannot read block <*> ⏎ Caused by: java.net.SocketException: reset <*>',
    );
    expect(new Set(found).size).toBe(1);
    const python = (n: number): string =>
      `Traceback (most recent call last):\n  File "a.py", line ${n}, in f\nValueError: bad value ${n}\n`;
    expect(new Set(texts([python(1), python(22)]))).toEqual(
      new Set(['Traceback (most recent call last): ⏎ ValueError: bad value <*>']),
    );
  });
});
