/** Whatever comes: no step throws, hangs or grows without bound. */
import { describe, expect, it } from 'vitest';
import { RecordView, recordBytesMax, viewOf } from '#protocol/mod.ts';
import { Item } from './item.ts';
import { compiled, now, run } from './testing.fixture.ts';

const pipeline = compiled(
  {
    patterns: { BAD: '(a+)+' },
    steps: [
      { redact: ['tokens', 'passwords', 'cards', 'emails', 'ips', 'phones'] },
      {
        parse: {
          formats: ['^%{BAD:a}$', '%{COMBINEDAPACHELOG}', '^%{TIMESTAMP_ISO8601:timestamp} %{GREEDYDATA:message}'],
        },
      },
      { json: true },
      { logfmt: { field: 'body', prefix: 'l.' } },
      { kv: { field: 'body', pairs: ';', equals: ':', prefix: 'k.' } },
      { timestamp: { field: 'l.t', formats: ['iso', '%Y-%m-%d', 'epoch'], zone: 'Europe/Berlin' } },
      { map: { move: { 'l.a': 'resource.a' }, set: { b: '%{body}' }, remove: 'k.*' } },
      { enrich: { table: 't', field: 'b' } },
      { sample: { rate: 0.5, key: ['trace_id', 'b'] } },
    ],
  },
  { t: { columns: ['a', 'b2'], rows: [['x', 'y']] } },
);

const cpuMs = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

describe('hostile bodies', () => {
  const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
  it.each([
    ['nested 10,000 deep', deep],
    ['nested and open', '{"a":['.repeat(10_000)],
    ['one character', 'a'.repeat(recordBytesMax)],
    ['one character and an end', `${'a'.repeat(60_000)}!`],
    ['words without an end', 'a b '.repeat(recordBytesMax / 4)],
    ['equals signs', '='.repeat(recordBytesMax)],
    ['pairs', 'a=b '.repeat(recordBytesMax / 4)],
    ['quotes', 'a="'.repeat(recordBytesMax / 3)],
    ['backslashes', '\\'.repeat(recordBytesMax)],
    ['NUL and escapes', '\u0000\u001b[31m'.repeat(10_000)],
    ['surrogates', '\ud800'.repeat(50_000)],
    ['newlines', '\n'.repeat(recordBytesMax)],
    ['many fields', JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i])))],
    ['names of prototypes', '{"__proto__":{"a":1},"constructor":2,"hasOwnProperty":3}'],
  ])('%s', (_name, body) => {
    expect(cpuMs(() => run(pipeline, { body }, {}, { head: body }))).toBeLessThan(8_000);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it('takes bytes that are no UTF-8, and any mutation of sensible lines', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const lines = [
      '192.0.2.1 - - [02/May/2026:03:04:05 +0200] "GET /bread HTTP/1.1" 200 512 "-" "B"',
      '2026-05-02T03:04:05Z level=warn msg="x" password=rye a@b.org 4111 1111 1111 1111',
      '{"level":"error","msg":"no flour","a":{"b":[1,2,{"c":null}]}}',
    ];
    const item = new Item();
    const view = new RecordView();
    const origin = { receiver: 'ingest', file: '', nowMs: now, serviceGiven: false };
    for (let round = 0; round < 2_000; round++) {
      const bytes = Buffer.from(lines[round % lines.length] as string);
      for (let i = random(8); i > 0; i--) bytes[random(bytes.length)] = random(256);
      viewOf({ body: 'x', severityNumber: 0, severityText: '' }, { observedMs: now, service: 's' }, view);
      view.bytes = bytes;
      view.bodyStart = 0;
      view.bodyEnd = random(bytes.length + 1);
      item.loadView(
        view,
        origin,
        round % 2 === 0 ? null : { head: bytes.toString(), tail: '', serviceElse: '', serviceGiven: false },
      );
      const outcome = pipeline.run(item);
      const out = item.toView();
      expect(['ok', 'drop']).toContain(outcome.kind);
      expect(out.bodyEnd).toBeLessThanOrEqual(out.bytes.length);
    }
  });
});
