import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ByteWriter, StringCursor } from '#protocol/byte-writer.ts';
import { type MaskedColumns, maskVersion, validateMasked } from '#protocol/masked.ts';
import { corpusOf, makersOf, seeded, wildLine } from './corpus.fixture.ts';
import { MaskedLines, Masker, TemplateMiner, templateDefaults } from './mod.ts';
import { appendTokens } from './pattern.ts';
import { hashTokens, LineScanner } from './scan.ts';

const encoder = new TextEncoder();

/** Every corpus, mixed, with lines that nobody would write between. */
function linesOf(seed: number, size: number): Uint8Array[] {
  const random = seeded(seed);
  const names = Object.keys(makersOf) as (keyof typeof makersOf)[];
  const corpora = names.map((name) => corpusOf(name, seed, size).lines);
  return Array.from({ length: size }, (_, i) => {
    const dice = random();
    if (dice < 0.1) return wildLine(random);
    if (dice < 0.2)
      return encoder.encode(
        `retry \n\t at x.${i}\ncaused by ${i % 7} ${'ab'.repeat(i % 9)}${dice < 0.12 ? '\nend' : ''}`,
      );
    return encoder.encode(corpora[i % corpora.length]![i]);
  });
}

function bodiesOf(lines: readonly Uint8Array[]): { rows: number; body: Uint8Array } {
  const body = new ByteWriter();
  for (const line of lines) body.slice(line, 0, line.length);
  return { rows: lines.length, body: body.copy() };
}

const scannerOf = (): LineScanner => new LineScanner(templateDefaults.maxTokens, templateDefaults.maxLineBytes);

const tokensOf = ({ froms, tos, kinds, blanks, tokens }: LineScanner, bytes: Uint8Array): unknown[] =>
  Array.from({ length: tokens }, (_, t) => [
    kinds[t],
    blanks[t],
    kinds[t] === 2 || kinds[t] === 0 ? Buffer.from(bytes.subarray(froms[t], tos[t])).toString('latin1') : '',
  ]);

describe('a masked line', () => {
  it('loads as the tokens and hashes that the scanner found', () => {
    const scanned = scannerOf();
    const loaded = scannerOf();
    for (const line of linesOf(3, 6_000)) {
      scanned.scan(line, 0, line.length);
      const own = new ByteWriter();
      appendTokens(own, line, scanned);
      const bytes = own.copy();
      expect(hashTokens(bytes)).toEqual({ a: scanned.hashA, b: scanned.hashB });
      loaded.load(bytes, 0, bytes.length);
      expect([loaded.hashA, loaded.hashB]).toEqual([scanned.hashA, scanned.hashB]);
      expect(tokensOf(loaded, bytes)).toEqual(tokensOf(scanned, line));
    }
  });

  it('is of the version that the protocol names', () => {
    const hash = createHash('sha256');
    const scanner = scannerOf();
    for (const line of linesOf(11, 4_000)) {
      scanner.scan(line, 0, line.length);
      const own = new ByteWriter();
      appendTokens(own, line, scanner);
      hash.update(own.view()).update(new Float64Array(scanner.numbers.subarray(0, scanner.numberCount)));
    }
    // Where this fails, the scanner reads bodies differently: raise maskVersion, then write the new digest here.
    expect({ maskVersion, digest: hash.digest('hex').slice(0, 16) }).toMatchInlineSnapshot(`
      {
        "digest": "8bfc709bbf1b0773",
        "maskVersion": 2,
      }
    `);
  });
});

describe('mining of masked columns', () => {
  it.each([1, 2, 3])('gives what mining of the bodies gives, row by row and in the snapshot (seed %i)', (seed) => {
    const config = { ...templateDefaults, maxTemplates: seed === 2 ? 60 : 2_000, reviewLines: 500 };
    const plain = new TemplateMiner(config);
    const short = new TemplateMiner(config);
    const lines = linesOf(seed, 4_000);
    const masker = new Masker(1);
    const random = seeded(seed);
    let usedColumns = 0;
    for (let at = 0, time = 0; at < lines.length; ) {
      const bodies = bodiesOf(lines.slice(at, at + 1 + Math.floor(random() * 800)));
      at += bodies.rows;
      const made = random() < 0.8 ? masker.mask(bodies) : null;
      const columns = made === null ? null : validateMasked(structuredClone(made), bodies.rows);
      const opened = columns === null ? null : new MaskedLines(columns);
      if (opened !== null) {
        short.openMasked(opened);
        usedColumns++;
      }
      const cursor = new StringCursor(bodies.body);
      for (let row = 0; row < bodies.rows; row++, time += 7) {
        cursor.advance();
        const slot = plain.mine(bodies.body, cursor.start, cursor.end, time);
        opened?.next();
        const same =
          opened === null ? short.mine(bodies.body, cursor.start, cursor.end, time) : short.mineMasked(opened, time);
        expect([same, short.isNew]).toEqual([slot, plain.isNew]);
        const numbers = opened === null ? short.numbers : opened.numbers;
        const count = opened === null ? short.numberCount : opened.numberCount;
        expect(numbers.subarray(0, count)).toEqual(plain.numbers.subarray(0, plain.numberCount));
      }
      expect(short.takeChanged()).toEqual(plain.takeChanged());
    }
    expect(usedColumns).toBeGreaterThan(3);
    expect(short.snapshot()).toEqual(plain.snapshot());
  });

  it('makes none where lines do not repeat', () => {
    const random = seeded(4);
    const word = (): string =>
      Array.from({ length: 6 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
    const prose = Array.from({ length: 500 }, () => encoder.encode(`${word()} ${word()} ${word()}`));
    expect(new Masker().mask(bodiesOf(prose))).toBeNull();
  });
});

describe('masked columns from a stranger', () => {
  const bodies = bodiesOf(Array.from({ length: 40 }, (_, i) => encoder.encode(`took ${i} ms\n\tat x\nby ${i}`)));
  const good = (): MaskedColumns => structuredClone(new Masker().mask(bodies) as MaskedColumns);
  const lines = (...texts: string[]): Uint8Array => {
    const writer = new ByteWriter();
    for (const text of texts) writer.string(text);
    return writer.copy();
  };

  it.each<[string, (columns: MaskedColumns) => unknown]>([
    ['nothing', () => null],
    ['text', () => 'columns'],
    ['an index outside', (c) => ({ ...c, index: c.index.fill(9) })],
    ['an index cut short', (c) => ({ ...c, index: c.index.subarray(1) })],
    ['too many numbers', (c) => ({ ...c, counts: c.counts.fill(17) })],
    ['numbers cut short', (c) => ({ ...c, numbers: c.numbers.subarray(3) })],
    ['counts cut short', (c) => ({ ...c, counts: c.counts.subarray(1) })],
    ['a line cut short', (c) => ({ ...c, lines: c.lines.subarray(0, 5) })],
    ['a length that lies', (c) => ({ ...c, lines: Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x7f]) })],
    ['a token without an end', (c) => ({ ...c, lines: lines('took') })],
    ['an empty token', (c) => ({ ...c, lines: lines('\u0000') })],
    ['a blank alone', (c) => ({ ...c, lines: lines(' \u0000') })],
    ['a wild place', (c) => ({ ...c, lines: lines('\u0002\u0000') })],
    ['a value with a tail', (c) => ({ ...c, lines: lines('\u0001x\u0000') })],
    ['a control byte within a word', (c) => ({ ...c, lines: lines('a\u0001\u0000') })],
    ['lines left out without a blank', (c) => ({ ...c, lines: lines('\u0003\u0000') })],
    ['very many tokens', (c) => ({ ...c, lines: lines('a\u0000'.repeat(300)) })],
    ['a very long line', (c) => ({ ...c, lines: lines(`${'a'.repeat(30_000)}\u0000`) })],
    ['more lines than rows', (c) => ({ ...c, lines: lines(...Array.from({ length: 41 }, () => 'a\u0000')) })],
  ])('are refused: %s', (_what, change) => {
    const columns = change(good());
    expect(() => validateMasked(columns, 40)).toThrow(/masked/);
  });

  it('of another version are left alone, whatever is in them', () => {
    expect(validateMasked({ version: maskVersion + 1, lines: 7 }, 40)).toBeNull();
  });

  it('never break the miner, and a restored one goes on alike', () => {
    const random = seeded(9);
    const pieces = ['a', ' b', 'x.y', '=', ' :', '\u0001', ' \u0001', ' \u0003', ',', 'key', ' 12', 'é', '  q'];
    let miner = new TemplateMiner({ ...templateDefaults, maxTemplates: 50, reviewLines: 100 });
    for (let round = 0; round < 300; round++) {
      const texts = Array.from({ length: 20 }, () =>
        Array.from(
          { length: Math.floor(random() * 14) },
          () => `${pieces[Math.floor(random() * pieces.length)]}\u0000`,
        ).join(''),
      );
      const index = new ByteWriter();
      for (let row = 0; row < 40; row++) index.uint16(Math.floor(random() * 20));
      const columns = { ...good(), lines: lines(...texts), index: index.copy() };
      const opened = new MaskedLines(validateMasked(columns, 40) as MaskedColumns);
      const again = new MaskedLines(validateMasked(columns, 40) as MaskedColumns);
      const restored = TemplateMiner.restore(
        { ...templateDefaults, maxTemplates: 50, reviewLines: 100 },
        structuredClone(miner.snapshot()),
      );
      miner.openMasked(opened);
      restored.openMasked(again);
      for (let row = 0; row < 40; row++) {
        opened.next();
        again.next();
        expect(restored.mineMasked(again, row)).toBe(miner.mineMasked(opened, row));
      }
      expect(restored.snapshot()).toEqual(miner.snapshot());
      if (round % 3 === 0) miner = restored;
    }
  });
});
