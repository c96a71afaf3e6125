import { describe, expect, it } from 'vitest';
import { recordBytesMax } from '#protocol/mod.ts';
import {
  LineParser,
  type LineParserOptions,
  type ParsedRecord,
  parseJsonObject,
  recordLinesMax,
  serviceFromFileName,
} from './mod.ts';

const observedMs = Date.UTC(2026, 10, 21, 12);

function parse(lines: readonly (string | Uint8Array)[], options: Partial<LineParserOptions> = {}) {
  const parser = new LineParser({ observedMs, ...options });
  const records: ParsedRecord[] = [];
  for (const line of lines) parser.push(line, (record) => records.push(record));
  parser.flush((record) => records.push(record));
  return { records, counts: parser.counts };
}

function holds(counts: LineParser['counts']): boolean {
  const formats = Object.values(counts.byFormat).reduce((sum, n) => sum + n, 0);
  return (
    counts.lines === counts.records + counts.folded + counts.blank + counts.rejected &&
    counts.records === formats &&
    counts.unparsed === (counts.byFormat['plain'] ?? 0)
  );
}

const stamp = '2026-05-02 03:04:05,678';
const traces: Record<string, string[]> = {
  java: [
    `${stamp} ERROR [main] com.bakery.Oven: no heat`,
    'java.lang.IllegalStateException: gas is off',
    '\tat com.bakery.Oven.heat(Oven.java:42)',
    '\tat com.bakery.Main.main(Main.java:7)',
    'Caused by: java.io.IOException: valve closed',
    '\tat com.bakery.Valve.open(Valve.java:3)',
    '\t... 2 more',
  ],
  python: [
    `${stamp} - till - ERROR - sale failed`,
    'Traceback (most recent call last):',
    '  File "/srv/till.py", line 9, in sell',
    '    drawer.open()',
    'KeyError: 17',
    '',
    'During handling of the above exception, another exception occurred:',
    '',
    'Traceback (most recent call last):',
    '  File "/srv/till.py", line 12, in sell',
    'bakery.errors.DrawerError: stuck',
  ],
  go: [
    'panic: runtime error: index out of range [3] with length 2',
    '',
    'goroutine 1 [running]:',
    'main.bake(...)',
    '\t/srv/oven.go:12',
    'main.main()',
    '\t/srv/oven.go:30 +0x1d',
    'exit status 2',
  ],
  node: [
    '{"level":"error","time":1777691045678,"msg":"no heat"}',
    "TypeError: Cannot read properties of undefined (reading 'heat')",
    '    at Oven.heat (/srv/oven.js:4:11)',
    '    at async main (/srv/main.js:9:3)',
  ],
  dotnet: [
    `${stamp} [ERR] Unhandled`,
    'System.InvalidOperationException: no heat',
    '   at Bakery.Oven.Heat() in /srv/Oven.cs:line 12',
    ' ---> System.IO.IOException: valve',
    '   --- End of inner exception stack trace ---',
    '   at Bakery.Program.Main()',
  ],
  console: [
    'fail: Bakery.Oven[14]',
    '      no heat',
    '      System.IO.IOException: valve',
    '         at Bakery.Valve.Open()',
  ],
};

describe('LineParser folding', () => {
  it.each(['java', 'python', 'go', 'dotnet', 'console'])('folds a %s trace into its record', (kind) => {
    const lines = traces[kind] as string[];
    const next = `${stamp} INFO [main] com.bakery.Oven: next`;
    const { records, counts } = parse([...lines, next]);
    expect(records.map((record) => record.lines)).toEqual([lines.length, 1]);
    expect(records[0]?.body.endsWith((lines.at(-1) as string).trim())).toBe(true);
    expect(counts.folded).toBe(lines.length - 1);
    expect(holds(counts)).toBe(true);
  });

  it('lets a JSON line stand alone and keeps the trace behind it together', () => {
    const { records, counts } = parse(traces['node'] as string[]);
    expect(records.map((record) => [record.format, record.lines])).toEqual([
      ['json', 1],
      ['plain', 3],
    ]);
    expect(holds(counts)).toBe(true);
  });

  it('gives a crash after mere progress a record of its own', () => {
    const { records } = parse([
      `${stamp} INFO [main] com.bakery.Oven: warm`,
      ...(traces['python'] as string[]).slice(1, 5),
    ]);
    expect(records.map((record) => record.lines)).toEqual([1, 4]);
  });

  it('folds indented lines, not lines that merely fit nothing', () => {
    const { records, counts } = parse([
      `${stamp} INFO a.B: request`,
      '  Host: x',
      '\tAccept: y',
      'something else',
      'and more',
    ]);
    expect(records.map((record) => record.lines)).toEqual([3, 1, 1]);
    expect(records[0]?.body).toBe('request\n  Host: x\n\tAccept: y');
    expect(counts.unparsed).toBe(2);
  });

  it('does not fold records that are indented themselves', () => {
    const { records } = parse(['   12 loaves', '   14 loaves', `  ${stamp} WARN a.B: low`, '  ["x"]']);
    expect(records).toHaveLength(4);
  });

  it('reads an object printed over several lines', () => {
    const { records, counts } = parse(['{', '  "level": "warn",', '  "message": "low"', '}', '{"message":"next"}']);
    expect(records.map((record) => [record.format, record.lines, record.body])).toEqual([
      ['json', 4, 'low'],
      ['json', 1, 'next'],
    ]);
    expect(holds(counts)).toBe(true);
  });

  it('counts blank lines outside of traces apart', () => {
    const { records, counts } = parse(['a', '', ' \t', 'b', '']);
    expect(records).toHaveLength(2);
    expect(counts).toMatchObject({ lines: 5, records: 2, blank: 3, folded: 0, rejected: 0 });
  });

  it('goes on in another record of the same head when a trace has no end', () => {
    const lines = [
      `${stamp} ERROR a.B: deep`,
      ...Array.from({ length: recordLinesMax + 5 }, (_, i) => `\tat a.B.c(B.java:${i})`),
    ];
    const { records, counts } = parse(lines);
    expect(records.map((record) => record.lines)).toEqual([recordLinesMax, 6]);
    expect(records[1]?.timeMs).toBe(records[0]?.timeMs);
    expect(holds(counts)).toBe(true);
    const wide = [`${stamp} ERROR a.B: wide`, ...Array.from({ length: 10 }, () => `\t${'é'.repeat(50_000)}`)];
    const cut = parse(wide);
    for (const record of cut.records) expect(Buffer.byteLength(record.body)).toBeLessThanOrEqual(recordBytesMax);
    expect(holds(cut.counts)).toBe(true);
    expect(cut.records.reduce((sum, record) => sum + record.lines, 0)).toBe(wide.length);
  });
});

describe('LineParser limits and bytes', () => {
  it('rejects what is over the limit with a reason and keeps the neighbours', () => {
    const reasons: [number, string][] = [];
    const onReject = (line: number, reason: string) => reasons.push([line, reason]);
    const { records, counts } = parse(
      ['a', Buffer.alloc(10_000_000, 'x'), 'b', new Uint8Array(200_000).fill(0xff), 'c'],
      { onReject },
    );
    expect(records.map((record) => record.body)).toEqual(['a', 'b', 'c']);
    expect(counts).toMatchObject({ lines: 5, records: 3, rejected: 2 });
    expect(reasons).toEqual([
      [2, 'the line has 10000000 bytes, 262144 are allowed'],
      [4, 'the line has 600000 bytes, 262144 are allowed'],
    ]);
    const parser = new LineParser({ observedMs, onReject });
    parser.reject(300_000, () => undefined);
    expect(parser.counts).toMatchObject({ lines: 1, rejected: 1 });
  });

  it('replaces invalid bytes, keeps NULs, drops a byte order mark and carriage returns', () => {
    const { records } = parse([Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0x0d), Uint8Array.of(0x62, 0xff, 0x00, 0x63)]);
    expect(records.map((record) => record.body)).toEqual(['a', 'b\ufffd\u0000c']);
  });

  it('takes the service from the option, the line, the file, in this order', () => {
    const line = 'May 12 03:04:05 mill grinder[7]: turning';
    expect(parse([line], { service: 'mine', sourceName: 'x.log' }).records[0]?.service).toBe('mine');
    expect(parse([line], { sourceName: 'x.log' }).records[0]?.service).toBe('grinder');
    expect(parse(['plain'], { sourceName: 'x.log' }).records[0]?.service).toBe('x');
    expect(parse(['plain']).records[0]?.service).toBe('unknown_service');
  });

  it('shifts stamps without a zone by the zone that was given', () => {
    expect(parse([`${stamp} a`], { timeZone: 120 }).records[0]?.timeMs).toBe(Date.UTC(2026, 4, 2, 1, 4, 5, 678));
    expect(parse(['2026-05-02T03:04:05Z a'], { timeZone: 120 }).records[0]?.timeMs).toBe(Date.UTC(2026, 4, 2, 3, 4, 5));
  });

  it('keeps bodies that look like nothing whole', () => {
    for (const line of [
      '=== begin ===',
      'GET / HTTP/1.1',
      'a=b',
      '12:30 lunch',
      '10.0.0.1 is up',
      '2026-05-02',
      '{"a":1} trailing',
    ]) {
      const { records, counts } = parse([line]);
      expect(records[0]).toMatchObject({ format: 'plain', body: line });
      expect(records[0]?.timeMs).toBeUndefined();
      expect(counts.unparsed).toBe(1);
    }
  });
});

/** Small seeded generator (mulberry32): the same mutations in every run. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const seeds = [
  ...Object.values(traces).flat(),
  '{"timestamp":"2026-05-02T03:04:05Z","level":"warn","nested":{"a":[1,{"b":null}]},"msg":"x"}',
  'time=2026-05-02T03:04:05Z level=info msg="a \\"b\\"" n=1',
  '<165>1 2026-05-02T03:04:05.003Z h app 12 ID [a@1 b="c"] text',
  '<34>May  2 03:04:05 mill su[12]: text',
  '192.0.2.7 - - [02/May/2026:05:04:05 +0200] "GET / HTTP/1.1" 404 153 "-" "x"',
  '[Sat May 02 03:04:05.1 2026] [core:error] [pid 1] text',
  '2026/05/02 03:04:05 [error] 12#34: *56 text',
  '05-02 03:04:05.678  1702  2395 D Tag: text',
  'W0502 03:04:05.678901    4711 a.go:118] text',
  '- 1777691045 2026.05.02 n 2026-05-01-20.04.05.678901 n RAS KERNEL FATAL text',
  '134681 node-246 unix.hw state 1777691045 1 text',
  '20260502-3:4:5:67|A|30002312|text|more',
  'bread.log 2026-05-02 03:04:05.678 2931 INFO a.b [req - -] text',
  `${stamp} - WARN  [A[id=1]/0:0:B@7] - text`,
];

describe('LineParser on anything', () => {
  it('never throws and never loses a line', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const next = random(seed);
      const pick = (n: number) => Math.floor(next() * n);
      const lines: Uint8Array[] = [];
      for (let i = 0; i < 150; i++) {
        let bytes = Buffer.from(seeds[pick(seeds.length)] as string);
        for (let change = pick(4); change > 0 && bytes.length > 0; change--) {
          const at = pick(bytes.length);
          const kind = pick(5);
          if (kind === 0) bytes[at] = pick(256);
          else if (kind === 1) bytes = bytes.subarray(0, at);
          else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(pick(bytes.length))]);
          else if (kind === 3)
            bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(256)]), bytes.subarray(at)]);
          else bytes = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
        }
        lines.push(Buffer.from(bytes.filter((byte) => byte !== 10)));
      }
      const { records, counts } = parse(lines, { sourceName: 'fuzz.log' });
      expect(holds(counts), `seed ${seed}`).toBe(true);
      expect(counts.lines).toBe(lines.length);
      expect(records.reduce((sum, record) => sum + record.lines, 0) + counts.blank, `seed ${seed}`).toBe(lines.length);
      for (const record of records) {
        expect(
          record.timeMs === undefined || (Number.isSafeInteger(record.timeMs) && record.timeMs >= 0),
          `seed ${seed}`,
        ).toBe(true);
        expect(record.timeSubNs !== undefined && record.timeSubNs >= 0 && record.timeSubNs < 1e6, `seed ${seed}`).toBe(
          true,
        );
        expect((record.attributes?.length ?? 0) % 2).toBe(0);
      }
    }
  });

  it('gives the same records however it is asked', () => {
    const lines = [...seeds, ...seeds.toReversed()];
    expect(parse(lines).records).toEqual(parse(lines.map((line) => Buffer.from(line))).records);
  });

  it('takes long lines of one character in linear steps', () => {
    for (const piece of [
      '[',
      '"',
      '{',
      '<',
      '=',
      ' ',
      'a=',
      '1',
      ': ',
      '.',
      '- ',
      '2026-05-02 ',
      'at ',
      'a ',
      'a:',
      '|',
      '\\"',
    ]) {
      const line = piece.repeat(Math.floor(200_000 / piece.length));
      const { counts } = parse([
        line,
        `${stamp} INFO ${line}`,
        `{"a":"${line}`,
        `1.1.1.1 - - [02/May/2026:05:04:05 +0200] "${line}`,
      ]);
      expect(holds(counts)).toBe(true);
    }
  });
});

describe('deep nesting', () => {
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;

  it('is kept as a line and refused as an object', () => {
    const { records } = parse([deep]);
    expect(records).toHaveLength(1);
    expect(parseJsonObject(JSON.parse(deep), { observedMs })).toEqual({ reject: 'the object is nested too deep' });
  });
});

describe('parseJsonObject', () => {
  const options = { observedMs };

  it.each([
    ['1777691045', Date.UTC(2026, 4, 2, 3, 4, 5), 0],
    ['1777691045.678', Date.UTC(2026, 4, 2, 3, 4, 5, 678), 0],
    ['1777691045678', Date.UTC(2026, 4, 2, 3, 4, 5, 678), 0],
    ['1777691045678901', Date.UTC(2026, 4, 2, 3, 4, 5, 678), 901_000],
    ['"1777691045678901234"', Date.UTC(2026, 4, 2, 3, 4, 5, 678), 901_234],
    ['"2026-05-02T03:04:05.678901234+00:00"', Date.UTC(2026, 4, 2, 3, 4, 5, 678), 901_234],
    ['"2026-05-02 03:04:05"', Date.UTC(2026, 4, 2, 3, 4, 5), 0],
    ['"1970-01-01T00:00:00Z"', 0, 0],
    ['0', 0, 0],
    ['"2099-12-31T23:59:59Z"', Date.UTC(2099, 11, 31, 23, 59, 59), 0],
  ])('reads the timestamp %s', (text, timeMs, timeSubNs) => {
    expect(parseJsonObject(JSON.parse(`{"timestamp":${text},"body":"x"}`), options)).toMatchObject({
      timeMs,
      timeSubNs,
      body: 'x',
    });
  });

  it('keeps what it cannot read as an attribute', () => {
    const record = parseJsonObject({ timestamp: 'yesterday', traceId: 'short', body: 'x' }, options);
    expect(record).toMatchObject({
      timeMs: undefined,
      traceId: '',
      attributes: ['timestamp', 'yesterday', 'traceId', 'short'],
    });
  });

  it('reads ids, numbers for levels, host and service', () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    expect(
      parseJsonObject({ traceId, spanId: 'B7AD6B7169203331', level: 30, host: 'k1', app: 'till', msg: 'x' }, options),
    ).toMatchObject({
      traceId,
      spanId: 'b7ad6b7169203331',
      severityNumber: 9,
      severityText: '30',
      service: 'till',
      resource: ['host.name', 'k1'],
    });
    expect(parseJsonObject({ level: 3, msg: 'x' }, options)).toMatchObject({ severityNumber: 17 });
    expect(parseJsonObject({ severityNumber: 18, severityText: 'bad', msg: 'x' }, options)).toMatchObject({
      severityNumber: 18,
      severityText: 'bad',
    });
  });

  it('takes the whole object as body where none is named', () => {
    expect(parseJsonObject({ n: 1 }, options)).toMatchObject({ body: '{"n":1}', attributes: ['n', '1'] });
  });

  it('says why it takes something not', () => {
    for (const value of [null, 3, 'x', [1], {}]) expect(parseJsonObject(value, options)).toHaveProperty('reject');
    expect(parseJsonObject({ body: 'x'.repeat(recordBytesMax + 1) }, options)).toHaveProperty('reject');
  });

  it('bounds the number of attributes and loses none', () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i]));
    const record = parseJsonObject({ ...many, body: 'x' }, options) as { attributes: string[] };
    expect(record.attributes).toHaveLength(256);
    expect(Object.keys(JSON.parse(record.attributes.at(-1) as string))).toHaveLength(300 - 127);
  });
});

describe('serviceFromFileName', () => {
  it.each([
    ['/var/log/oven.log', 'oven'],
    ['oven.log.3.gz', 'oven'],
    ['Oven_2k.log', 'Oven'],
    ['oven-2026-05-02.log', 'oven'],
    ['oven.log-20260502', 'oven'],
    ['bread-api.log.1.2026-05-02_13:53:08', 'bread-api'],
    ['2026-05-02-till.ndjson.zst', 'till'],
    ['stdin', 'unknown_service'],
    ['-', 'unknown_service'],
    ['.log', '.log'],
  ])('%s', (name, service) => {
    expect(serviceFromFileName(name)).toBe(service);
  });
});
