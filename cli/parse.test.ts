/** Every example of docs/pipeline.md, the one of docs/files.md, and what the command prints and answers. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { stepKinds } from '#analysis/pipeline/mod.ts';
import { LogweirError } from '#protocol/errors.ts';
import { parseArguments } from './arguments.ts';
import type { CommandContext } from './command.ts';
import { command } from './parse.ts';

interface Ran {
  code: number;
  out: string[];
  notes: string[];
}

async function parse(directory: string, ...argv: string[]): Promise<Ran> {
  const out: string[] = [];
  const notes: string[] = [];
  const ctx: CommandContext = {
    name: 'parse',
    args: parseArguments(
      'parse',
      command,
      argv.map((one) => (/\.\w+$/.test(one) ? join(directory, one) : one)),
    ),
    env: {},
    cwd: directory,
    stdin: Readable.from([]),
    write: async (text) => void out.push(String(text)),
    print: (line) => void out.push(`${line}\n`),
    note: (line) => void notes.push(line),
    terminal: { stdout: false, stderr: false, columns: 120 },
    signal: new AbortController().signal,
  };
  const code = await command.run(ctx);
  return { code, out: out.join('').split('\n').slice(0, -1), notes };
}

const fresh = (): string => mkdtempSync(join(tmpdir(), 'logweir-parse-'));

interface Example {
  title: string;
  yaml: string;
  files: Map<string, string>;
  input: string;
  expected: unknown[];
}

/** A yaml block, the files behind it, and the records that come of the text among them. */
function examples(): Example[] {
  const page = readFileSync(new URL('../docs/pipeline.md', import.meta.url), 'utf8');
  const found: Example[] = [];
  let title = '';
  for (const [, heading, language, name = '', text = ''] of page.matchAll(
    /^##+ (.+)$|^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm,
  )) {
    if (heading !== undefined) title = heading;
    const last = found.at(-1);
    if (language === 'yaml') found.push({ title, yaml: text, files: new Map(), input: '', expected: [] });
    else if (last !== undefined && (language === 'text' || language === 'csv')) {
      last.files.set(name, text);
      if (language === 'text') last.input = name;
    } else if (last !== undefined && language === 'json')
      last.expected = text
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
  }
  return found;
}

it('docs/files.md', async () => {
  const page = readFileSync(new URL('../docs/files.md', import.meta.url), 'utf8');
  const example = /^```text (\S+)\n([\s\S]*?)^```$\s+^```json\n([\s\S]*?)^```$/m.exec(page);
  const [, path = '', text = '', expected = ''] = example ?? [];
  const directory = fresh();
  mkdirSync(join(directory, dirname(path)), { recursive: true });
  writeFileSync(join(directory, path), text);
  const { out, code } = await parse(directory, '--json', path);
  expect(code).toBe(0);
  const wanted = expected.trim().split('\n');
  expect(out).toHaveLength(wanted.length);
  for (const [i, line] of wanted.entries())
    expect(JSON.parse(out[i] as string)).toMatchObject(JSON.parse(line) as object);
});

describe('docs/pipeline.md', () => {
  it.each(examples().map((example) => [example.title, example] as const))(
    '%s',
    async (_title, { yaml, files, input, expected }) => {
      const directory = fresh();
      writeFileSync(join(directory, 'logweir.yaml'), yaml);
      for (const [name, text] of files) writeFileSync(join(directory, name), text);
      if (input === '') writeFileSync(join(directory, (input = 'any.log')), 'a line\n');
      const { out, code } = await parse(directory, '--json', input);
      expect(code).toBe(0);
      const records = out.map((line) => JSON.parse(line) as Record<string, unknown>);
      if (expected.length > 0) expect(records).toHaveLength(expected.length);
      for (const [i, wanted] of expected.entries()) {
        expect(records[i]).toMatchObject(wanted as object);
        const { attributes } = wanted as { attributes?: object };
        if (attributes !== undefined) expect(records[i]?.['attributes']).toEqual(attributes);
      }
    },
  );

  it('has an example of every step', () => {
    const all = examples()
      .map(({ yaml }) => yaml)
      .join('\n');
    for (const step of stepKinds) expect(all).toMatch(new RegExp(`\\b${step}:`));
  });
});

describe('logweir parse', () => {
  const lines =
    '2026-05-02T03:04:05Z WARN oven 7 is hot\njava.lang.Error: x\n\tat a.b(C.java:1)\nwho is it 17\nwho is it 18\n';

  it('shows records as people read them, and sums up', async () => {
    const directory = fresh();
    writeFileSync(join(directory, 'oven.log'), lines);
    const { out, code, notes } = await parse(directory, '--limit', '2', 'oven.log');
    expect([code, notes]).toEqual([0, []]);
    expect(
      out
        .join('\n')
        .replaceAll(`${directory}/`, '')
        .replace(/in \d+\.\d s \([\d,]+ lines\/s\)/, 'in N s'),
    ).toMatchInlineSnapshot(`
      "   1-3  2026-05-02T03:04:05.000Z  WARN     oven            oven 7 is hot⏎java.lang.Error: x⏎at a.b(C.java:1)
              [stamped]
           4                                     oven            who is it 17
              [no format]

      … 1 more; --limit shows them
      5 lines from 1 file in N s: 3 records
        2 lines folded into multi-line records, 0 blank, 0 rejected
      built-in formats:
        plain    2
        stamped  1
      no format fits 2 records, in 1 template:
              2  who is it <*>  (oven.log:4)"
    `);
  });

  it('shows misses alone', async () => {
    const directory = fresh();
    writeFileSync(join(directory, 'oven.log'), lines);
    const { out, code } = await parse(directory, '--misses', '--json', 'oven.log');
    expect(code).toBe(0);
    expect(out.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { line: 4, body: 'who is it 17' },
      { line: 5 },
    ]);
    writeFileSync(join(directory, 'fine.log'), '2026-05-02T03:04:05Z INFO fine\n');
    expect((await parse(directory, '--misses', 'fine.log')).code).toBe(3);
  });

  it('reads what is packed, directories, and what is missing', async () => {
    const directory = fresh();
    mkdirSync(join(directory, 'logs.d'));
    writeFileSync(join(directory, 'logs.d', 'a.log.gz'), gzipSync(lines));
    writeFileSync(join(directory, 'logs.d', 'b.log.zst'), zstdCompressSync(Buffer.from(lines)));
    const { out, code } = await parse(directory, '--json', 'logs.d');
    expect(code).toBe(0);
    expect(out).toHaveLength(6);
    expect(out.map((line) => (JSON.parse(line) as { service: string }).service)).toEqual([
      'a',
      'a',
      'a',
      'b',
      'b',
      'b',
    ]);
    const missing = await parse(directory, 'none.log');
    expect([missing.code, missing.notes.join()]).toEqual([1, expect.stringContaining('none.log')]);
  });

  it('goes on without end or harm through what is no log', async () => {
    const directory = fresh();
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    const odd = Buffer.concat([
      Buffer.from([0xff, 0xfe, 0x41, 0x0a, 0x80, 0x0a]),
      Buffer.from(`${deep}\n${'x'.repeat(300_000)}\n\u001b[2J\u0000 end\n`),
    ]);
    writeFileSync(join(directory, 'odd.log'), odd.subarray(2));
    writeFileSync(
      join(directory, 'logweir.yaml'),
      'pipeline: { steps: [{ redact: true }, { parse: "^(a+)+$" }, { json: true }] }\n',
    );
    const { out, code } = await parse(directory, '--json', 'odd.log');
    expect(code).toBe(0);
    expect(out.length).toBeGreaterThan(2);
    const shown = await parse(directory, '--limit', '10', 'odd.log');
    expect(shown.out.join('')).not.toMatch(/[\u0000-\u0008\u001b]/);
  });

  it.each([
    ['steps: [{ parse: "(?=x)" }]', 'logweir.yaml:2: pipeline.steps[0].parse is no pattern'],
    [
      'steps: [{ timestamp: { zone: Mars/Base } }]',
      'logweir.yaml:2: pipeline.steps[0].timestamp.zone is "Mars/Base", which is no time zone.',
    ],
    [
      'steps:\n    - drop: true\n    - enrich: { table: none.csv, field: host }',
      'logweir.yaml:4: pipeline.steps[1].enrich.table names',
    ],
    ['steps: [{ drop: true, keep: true }]', 'is 2 steps (drop, keep)'],
    ['steps: [{ dropp: true }]', 'pipeline.steps[0].dropp is no known key'],
    ['step: []', 'pipeline.step is no known key'],
  ])('says where a section is wrong: %s', async (section, expected) => {
    const directory = fresh();
    writeFileSync(join(directory, 'logweir.yaml'), `pipeline:\n  ${section}\n`);
    writeFileSync(join(directory, 'a.log'), 'x\n');
    const error = await parse(directory, 'a.log').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogweirError);
    expect((error as LogweirError).message).toContain(expected);
    expect((error as LogweirError).remedy).not.toBe('');
  });
});
