import { describe, expect, it } from 'vitest';
import { parseJsonObject } from '#analysis/formats/mod.ts';
import { BatchBuilder, type RecordView, RecordView as View, viewOf } from '#protocol/mod.ts';
import { FlatScanner } from './flat-json.ts';
import { NdjsonScanner } from './ndjson.ts';

const observedMs = 1_800_000_000_000;

function plain(view: RecordView): Record<string, unknown> {
  const text = (start: number, end: number): string => Buffer.from(view.bytes.subarray(start, end)).toString();
  return {
    time: [view.timeMs, view.timeSubNs],
    severity: [view.severityText, view.severityNumber],
    service: view.service,
    body: text(view.bodyStart, view.bodyEnd),
    trace: [view.traceId, view.spanId, view.traceFlags],
    resource: view.resource ?? [],
    attributes: Array.from({ length: view.attributeCount }, (_, i) => [
      view.attributeKeys[i],
      text(view.attributeStarts[i] as number, view.attributeEnds[i] as number),
    ]),
  };
}

function longWay(line: string): Record<string, unknown> | null {
  try {
    const record = parseJsonObject(JSON.parse(line), { observedMs });
    return 'reject' in record ? null : plain(viewOf(record, { observedMs, service: '' }, new View()));
  } catch {
    return null;
  }
}

function shortWay(line: string): Record<string, unknown> | 'declined' {
  const bytes = Buffer.from(line);
  const view = new View();
  return new FlatScanner(bytes, observedMs).scan(0, bytes.length, view) ? plain(view) : 'declined';
}

const common = [
  '{"timestamp":"2026-03-01T10:20:30.123456789Z","level":"ERROR","service":"payments","message":"card declined","host":"a-1","amount":12.5,"retry":false,"code":null}',
  '{"ts":1772360430123,"severity":"warn","app":"cart","msg":"slow response","latency_ms":1200}',
  '{"time":"2026-02-28T23:59:59+05:30","level":"info","service.name":"search","body":"naïve ☃ query","traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}',
  ' { "message" : "spaces around" , "n" : -3 } ',
];

const odd = [
  '{"message":"dup","a":1,"a":2}',
  '{"message":"m","msg":"two bodies"}',
  '{"message":""}',
  '{"a":1}',
  '{}',
  '{"message":"esc\\n"}',
  '{"message":"m","n":1.50}',
  '{"message":"m","n":1e3}',
  '{"message":"m","n":-0}',
  '{"message":"m","n":01}',
  '{"message":"m","n":0.0000001}',
  '{"message":"m","n":12345678901234567890}',
  '{"message":"m","nested":{"a":1}}',
  '{"message":"m","list":[1]}',
  '{"message":"m",}',
  '{"message":"m"} x',
  '{"message":"m","level":"3"}',
  '{"message":"m","level":30}',
  '{"message":"m","time":"2026-02-30T00:00:00Z"}',
  '{"message":"m","time":"2026-01-01T24:00:00Z"}',
  '{"message":"m","time":"yesterday"}',
  '{"message":"m","ts":1772360430}',
  '{"message":"m","traceId":"00000000000000000000000000000000"}',
  '{"message":"m","traceId":"ABC"}',
  '{"message":"m","__proto__":"x"}',
  '{"message":"m","":"x"}',
  '{"message":"m","x":nul}',
  '{"message":"m","x":tru',
  '{"message":"m',
  '{"message":"tab\there"}',
  '{"message":"m","service":7}',
  '{"message":"m","service":""}',
  '{"message":"m","time":"1969-12-31T23:59:59Z"}',
  '{"message":"m","trace_flags":"01"}',
  `{"message":"m","service":"${'s'.repeat(300)}"}`,
];

describe('the flat scanner', () => {
  it('takes the common shapes, exactly as the long way', () => {
    for (const line of common) expect(shortWay(line.trim())).toEqual(longWay(line));
  });

  it('declines or agrees on everything else', () => {
    const taken = odd.map((line) => ({ line, short: shortWay(line) })).filter(({ short }) => short !== 'declined');
    expect(taken).toEqual(taken.map(({ line }) => ({ line, short: longWay(line) })));
  });

  it('declines or agrees on 20,000 seeded mutations', () => {
    let seed = 42;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed % below;
    };
    const pool = [...common.map((line) => line.trim()), ...odd];
    const pieces = [
      '"',
      '\\',
      '{',
      '}',
      ',',
      ':',
      ' ',
      '0',
      '1',
      '.',
      '-',
      'e',
      'null',
      'true',
      '"a":1,',
      'T',
      'Z',
      '9',
      'é',
      '\u0001',
    ];
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      let line = pool[random(pool.length)] as string;
      for (let n = random(3); n >= 0; n--) {
        const at = random(line.length + 1);
        const cut = random(3);
        line = line.slice(0, at) + (random(2) === 0 ? pieces[random(pieces.length)] : '') + line.slice(at + cut);
      }
      const short = shortWay(line);
      if (short === 'declined') continue;
      taken++;
      expect({ line, ...short }).toEqual({ line, ...longWay(line) });
    }
    expect(taken).toBeGreaterThan(1_000);
  });
});

describe('NdjsonScanner', () => {
  it('names the line of every rejected record and keeps the others', () => {
    const body = Buffer.from(
      '{"message":"one"}\n\nnot json\r\n{"message":"two","level":"ERROR"}\n[1]\n{"message":"three"}',
    );
    const scanner = new NdjsonScanner(body, observedMs, 'fallback');
    const seen: string[] = [];
    for (let found = scanner.next(); found !== 'end'; found = scanner.next()) {
      if (found === 'record')
        seen.push(`${scanner.line} ${plain(scanner.view)['body'] as string} ${scanner.view.service}`);
      else seen.push(`${scanner.line} ${scanner.reason.split(':')[0]}`);
    }
    expect(seen).toEqual([
      '1 one fallback',
      '3 not JSON',
      '4 two fallback',
      '5 expected a JSON object, found an array',
      '6 three fallback',
    ]);
  });

  it('replaces invalid UTF-8 and rejects what is too long', () => {
    const body = Buffer.concat([
      Buffer.from('{"message":"a'),
      Buffer.from([0xff]),
      Buffer.from('b"}\n{"message":"'),
      Buffer.alloc(300_000, 0x78),
      Buffer.from('"}\n{"message":"ok"}'),
    ]);
    const scanner = new NdjsonScanner(body, observedMs, 'f');
    expect(scanner.next()).toBe('record');
    expect(plain(scanner.view)['body']).toBe('a\ufffdb');
    expect(scanner.next()).toBe('rejected');
    expect(scanner.next()).toBe('record');
    expect(scanner.next()).toBe('end');
  });

  it('makes the batch that rows make, ids of traces from the first that has one included', () => {
    const [trace, span] = ['4bad09d12bf0f80db3e5f4aca6cea6af', '619c7b156c738bd1'];
    const ids = [
      {},
      {},
      { traceId: trace, spanId: span },
      { spanId: span },
      {},
      { traceId: trace },
      { traceId: 'no id' },
    ];
    const lines = ids.map((own, i) =>
      JSON.stringify({
        timestamp: `2026-01-15T12:00:0${i}.5Z`,
        level: 'INFO',
        service: `s${i % 2}`,
        message: `m ${i}`,
        ...own,
      }),
    );
    const [fast, slow] = [new BatchBuilder('live', 'test'), new BatchBuilder('live', 'test')];
    const scanner = new NdjsonScanner(Buffer.from(lines.join('\n')), observedMs, '');
    while (scanner.next() === 'record') fast.add(scanner.view, 1);
    for (const line of lines) {
      const record = parseJsonObject(JSON.parse(line), { observedMs });
      if (!('reject' in record)) slow.add(viewOf(record, { observedMs, service: '' }, new View()), 1);
    }
    const batch = fast.take();
    expect(batch?.rows).toBe(lines.length);
    expect(batch).toEqual(slow.take());
  });
});
