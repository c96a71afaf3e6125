import { describe, expect, it } from 'vitest';
import { recordBytesMax } from '#protocol/mod.ts';
import { containerOfPath, isDockersOwn, LineParser, type LineParserOptions, type ParsedRecord } from './mod.ts';

const observedMs = Date.UTC(2026, 1, 1);

interface Taken {
  record: ParsedRecord;
  at: number;
}

function parser(options: Partial<LineParserOptions> = {}): LineParser {
  return new LineParser({ observedMs, ...options });
}

function parse(lines: readonly (string | Uint8Array)[], options: Partial<LineParserOptions> = {}) {
  const lineParser = parser(options);
  const taken: Taken[] = [];
  const emit = (record: ParsedRecord, at: number): void => void taken.push({ record, at });
  for (const line of lines) lineParser.push(line, emit);
  lineParser.flush(emit);
  const { counts } = lineParser;
  expect(counts.lines).toBe(counts.records + counts.folded + counts.blank + counts.rejected);
  expect(counts.unparsed).toBe(counts.byFormat['plain'] ?? 0);
  return { taken, records: taken.map(({ record }) => record), counts };
}

let nanoseconds = 0;
const stamp = (): string => `2026-01-30T10:00:00.${String(++nanoseconds % 1e9).padStart(9, '0')}Z`;
/** What comes more than an eye's blink after what came before. */
function later<T>(make: () => T): T {
  nanoseconds += 201e6;
  return make();
}
const cri = (stream: string, tag: string, text: string): string => `${stamp()} ${stream} ${tag} ${text}`;
const docker = (stream: string, log: string, more: object = {}): string =>
  JSON.stringify({ log, stream, ...more, time: stamp() });

const attributesOf = ({ attributes = [] }: ParsedRecord): Record<string, string> =>
  Object.fromEntries(Array.from({ length: attributes.length / 2 }, (_, i) => attributes.slice(2 * i, 2 * i + 2)));

const trace = ['Traceback (most recent call last):', '  File "/srv/till.py", line 9, in sell', 'KeyError: 17'];

describe.each([
  ['cri', (stream: string, text: string) => cri(stream, 'F', text)],
  ['docker', (stream: string, text: string) => docker(stream, `${text}\n`)],
])('%s', (name, wrap) => {
  it.each([
    ['{"level":"warn","msg":"slow","order":17}', `${name}+json`, 'WARN', 'slow'],
    ['level=error msg="no flour" order=17', `${name}+logfmt`, 'ERROR', 'no flour'],
    ['2026-01-30 09:59:59,678 ERROR [main] com.bakery.Oven: no heat', `${name}+stamped`, 'ERROR', 'no heat'],
    ['\u001b[31mERROR\u001b[0m no heat\r', `${name}+levelled`, 'ERROR', 'no heat'],
    ['192.0.2.1 - - [30/Jan/2026:09:59:59 +0000] "GET / HTTP/1.1" 500 7', `${name}+access`, 'ERROR', 'GET / HTTP/1.1'],
    ['just some words', name, '', 'just some words'],
  ])('reads what is within: %s', (text, format, severity, body) => {
    const { records, counts } = parse([wrap('stderr', text)]);
    expect(records).toHaveLength(1);
    const [record] = records as [ParsedRecord];
    expect(record.format).toBe(format);
    expect(record.body).toContain(body);
    if (format !== `${name}+access`) expect(record.severityText.toUpperCase()).toBe(severity);
    expect(attributesOf(record)).toMatchObject({ 'log.iostream': 'stderr' });
    const timed = text.includes('09:59:59');
    expect(Math.floor((record.timeMs as number) / 1000)).toBe(
      Date.UTC(2026, 0, 30, timed ? 9 : 10, timed ? 59 : 0, timed ? 59 : 0) / 1000,
    );
    expect(counts.byFormat).toEqual({ [format]: 1 });
  });

  it('keeps the nanoseconds of the runtime', () => {
    const { records } = parse([wrap('stdout', 'open').replace(/\.\d{9}Z/, '.123456789Z')]);
    expect([(records[0] as ParsedRecord).timeMs, records[0]?.timeSubNs]).toEqual([
      Date.UTC(2026, 0, 30, 10, 0, 0, 123),
      456_789,
    ]);
  });

  it('folds stack traces of each stream, whatever of the other stands between', () => {
    const [head, frame, error] = trace as [string, string, string];
    const { records, taken } = parse([
      wrap('stdout', 'sold 1'),
      wrap('stderr', head),
      wrap('stdout', '  two rolls'),
      wrap('stderr', frame),
      wrap('stdout', ''),
      wrap('stdout', 'sold 2'),
      wrap('stderr', error),
      wrap('stdout', 'sold 3'),
    ]);
    expect(records.map(({ body, lines }) => [body, lines])).toEqual([
      ['sold 1\n  two rolls', 2],
      [trace.join('\n'), 3],
      ['sold 2', 1],
      ['sold 3', 1],
    ]);
    expect(taken.map(({ at }) => at)).toEqual([1, 2, 6, 8]);
  });

  it('ends them where the other stream goes on for too long', () => {
    const [head, frame, error] = trace as [string, string, string];
    const others = Array.from({ length: 150 }, (_, i) => wrap('stdout', `sold ${i}`));
    const { records } = parse([wrap('stderr', head), wrap('stderr', frame), ...others, wrap('stderr', error)]);
    expect(records.map(({ lines }) => lines)).toEqual([2, ...others.map(() => 1), 1]);
    const kept: string[] = [];
    const follower = parser();
    const emit = ({ body }: ParsedRecord): unknown => kept.push(body);
    follower.push(wrap('stderr', head), emit);
    follower.push(wrap('stderr', frame), emit);
    follower.push(wrap('stdout', 'sold'), emit);
    expect(kept).toEqual([]);
    follower.push(
      later(() => wrap('stdout', 'sold more')),
      emit,
    );
    expect(kept).toEqual([`${head}\n${frame}`, 'sold']);
  });

  it('folds as the configuration tells', () => {
    const folding = { continues: (line: string) => !line.startsWith('#'), linesMax: 10, charactersMax: 1e4 };
    const { records } = parse([wrap('stdout', '#1'), wrap('stdout', 'a'), wrap('stdout', '#2')], {
      folding,
      keepRaw: true,
    });
    expect(records.map(({ raw }) => [raw?.head, raw?.tail, raw?.wrapper])).toEqual([
      ['#1', 'a', ['log.iostream']],
      ['#2', '', ['log.iostream']],
    ]);
  });

  it('takes an object that was printed over several lines', () => {
    const { records } = parse(
      ['{', '  "level": "error",', '  "msg": "no heat"', '}'].map((line) => wrap('stdout', line)),
    );
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ format: `${name}+json`, body: 'no heat', severityText: 'error', lines: 4 });
    expect(records[0]?.timeMs).toBeDefined();
  });

  it('finds out the zone of stamps that name none', () => {
    const at = (text: string): number => parse([wrap('stdout', text)]).records[0]?.timeMs as number;
    expect(at('2026-01-30 11:59:58,500 INFO open')).toBe(Date.UTC(2026, 0, 30, 9, 59, 58, 500));
    expect(at('2026-01-30 15:29:58,500 INFO open')).toBe(Date.UTC(2026, 0, 30, 9, 59, 58, 500));
    expect(at('2026-01-30 11:52:00,500 INFO open')).toBe(Date.UTC(2026, 0, 30, 11, 52, 0, 500));
    expect(at('2026-01-30T11:59:58.500+01:00 INFO open')).toBe(Date.UTC(2026, 0, 30, 10, 59, 58, 500));
  });
});

describe('lines that the runtime split', () => {
  it('joins them per stream, in bytes', () => {
    const [a, b] = [Buffer.from('{"level":"error","msg":"Brötchen'), Buffer.from('"}')];
    const cut = a.indexOf('ö') + 1;
    const part = (tag: string, bytes: Buffer): Buffer => Buffer.concat([Buffer.from(cri('stdout', tag, '')), bytes]);
    const { records, taken, counts } = parse([
      part('P', a.subarray(0, cut)),
      cri('stderr', 'P', 'half '),
      part('P:more', a.subarray(cut)),
      cri('stderr', 'F', 'a line'),
      part('F', b),
    ]);
    expect(records.map(({ body, lines, format }) => [body, lines, format])).toEqual([
      ['half a line', 2, 'cri'],
      ['Brötchen', 3, 'cri+json'],
    ]);
    expect(taken.map(({ at }) => at)).toEqual([2, 1]);
    expect(counts).toMatchObject({ lines: 5, records: 2, folded: 3 });
  });

  it("joins Docker's, with labels", () => {
    const { records } = parse([
      docker('stdout', '{"level":"warn",', {
        attrs: { tag: 'till', order: 'none', 'com.docker.compose.service': 'shop' },
      }),
      docker('stdout', '"msg":"slow","order":17}\n'),
      docker('stdout', 'words\n'),
    ]);
    expect(records.map(({ body, service }) => [body, service])).toEqual([
      ['slow', 'shop'],
      ['words', 'unknown_service'],
    ]);
    expect(attributesOf(records[0] as ParsedRecord)).toEqual({
      order: '17',
      'log.iostream': 'stdout',
      tag: 'till',
      'com.docker.compose.service': 'shop',
    });
  });

  it('lets go what is too long, or has no end, and loses nothing', () => {
    const piece = 'x'.repeat(16_384);
    const pieces = Math.floor(recordBytesMax / piece.length) + 3;
    const { records } = parse(Array.from({ length: pieces }, () => cri('stdout', 'P', piece)));
    expect(records.map(({ body }) => body.length)).toEqual([recordBytesMax, 3 * piece.length]);
  });

  it('rejects what has too many bytes once it is text', () => {
    const bytes = Buffer.concat([Buffer.from(cri('stdout', 'P', '')), Buffer.alloc(60_000, 0xff)]);
    const { records, counts } = parse([bytes, bytes, cri('stdout', 'F', ''), cri('stdout', 'F', 'next')]);
    expect(records.map(({ body }) => body)).toEqual(['next']);
    expect(counts).toMatchObject({ rejected: 1, folded: 2 });
  });
});

it.each([
  '2026-01-30T10:00:00.1Z stdout X text',
  '2026-01-30T10:00:00.1Z stdout Ftext',
  '2026-01-30T10:00:00.1 stdout F text',
  '2026-01-30T10:00:00.1Z stdin F text',
  '{"log":"text\\n","stream":"stdout","time":"2026-01-30T10:00:00Z","level":"warn"}',
  '{"log":"text\\n","stream":"syslog","time":"2026-01-30T10:00:00Z"}',
  '{"log":"text\\n","stream":"stdout","time":"today"}',
  '{"log":"text\\n","stream":"stdout","time":"2026-01-30T10:00:00Z","attrs":[]}',
  '{"log":"text\\n","stream":"stdout"',
])('leaves other lines alone: %s', (line) => {
  expect(parse([line]).records[0]?.format).not.toMatch(/^(?:cri|docker)/);
});

/** Every place that a follower may go on from gives the records that are still to come, and no others. */
it('can be gone on from where it says, whatever is interleaved', () => {
  let seed = 7;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 16) % n;
  };
  for (let round = 0; round < 108; round++) {
    // Some are so long that a record must end because of it.
    const [length, every] = round < 100 ? [40, 1] : [300, 23];
    const lines = Array.from({ length }, (_, i) => {
      const text = [`INFO n${i}`, `ERROR n${i}`, `\tat a.b(C.java:${i})`, '', `words ${i}`, ...trace][
        random(8)
      ] as string;
      if (random(20) === 0 && length < 100) nanoseconds += 150e6;
      return random(length < 100 ? 12 : 400) === 0
        ? `INFO bare ${i}`
        : cri(random(3) === 0 ? 'stderr' : 'stdout', random(3) === 0 ? 'P' : 'F', text);
    });
    // Places as in a file: as many apart as a line has bytes.
    const place = (i: number): number => i * 100;
    const whole = new Map<number, string>();
    const all = parser();
    let last = -1;
    const keep = (record: ParsedRecord, _at: number, order: number): void => {
      expect(order).toBeGreaterThan(last);
      last = order;
      whole.set(order, record.body);
    };
    for (const [i, line] of lines.entries()) all.push(line, keep, place(i));
    all.flush(keep);
    const first = parser();
    const seen = new Set<number>();
    for (const [i, line] of lines.entries()) {
      first.push(line, (_record, _at, order) => seen.add(order), place(i));
      if (i % every !== 0) continue;
      const from = first.resumeAt ?? place(i + 1);
      const again = new Map<number, string>();
      const second = parser();
      const gather = (record: ParsedRecord, _at: number, order: number): unknown => again.set(order, record.body);
      for (const [n, next] of lines.entries()) if (place(n) >= from) second.push(next, gather, place(n));
      second.flush(gather);
      for (const [order, body] of again)
        if (whole.get(order) !== body) expect.fail(`${round}: ${order} from ${from} is another record`);
      for (const order of whole.keys())
        if (!again.has(order) && !seen.has(order)) expect.fail(`${round}: ${order} from ${from} is lost`);
    }
  }
});

const id = '0123456789abcdef'.repeat(4);
const uid = '0b5e3f6a-1111-2222-3333-444455556666';
const pod = ['k8s.namespace.name', 'bakery', 'k8s.pod.name', 'till-7c9d-x2', 'k8s.container.name', 'till'];

it.each([
  [
    `/var/log/pods/bakery_till-7c9d-x2_${uid}/till/0.log`,
    { service: 'till', resource: [...pod, 'k8s.pod.uid', uid, 'k8s.container.restart_count', '0'] },
  ],
  [
    `/mnt/old/bakery_till-7c9d-x2_${id.slice(0, 32)}/till/12.log.20260130-101112.gz`,
    { service: 'till', resource: [...pod, 'k8s.pod.uid', id.slice(0, 32), 'k8s.container.restart_count', '12'] },
  ],
  [
    `/var/log/containers/till-7c9d-x2_bakery_till-${id}.log`,
    { service: 'till', resource: [...pod, 'container.id', id] },
  ],
  [`/var/lib/docker/containers/${id}/${id}-json.log.1`, { service: id.slice(0, 12), resource: ['container.id', id] }],
  ['/var/log/pods/bakery_till/till/0.log', null],
  ['/var/log/shop.log', null],
])('knows the container of %s', (path, expected) => {
  expect(containerOfPath(path)).toEqual(expected);
});

it("leaves Docker's own files out", () => {
  expect(isDockersOwn(`/var/lib/docker/containers/${id}/config.v2.json`)).toBe(true);
  expect(isDockersOwn(`/var/lib/docker/containers/${id}/local-logs/container.log`)).toBe(true);
  expect(isDockersOwn(`/var/lib/docker/containers/${id}/${id}-json.log.1`)).toBe(false);
  expect(isDockersOwn(`/var/log/containers/till_bakery_till-${id}.log`)).toBe(false);
});

it('takes service and resource from the container, but for what lines and options say', () => {
  const container = { service: 'till', resource: pod };
  const lines = [cri('stdout', 'F', 'open'), cri('stdout', 'F', 'level=info msg=x service=shop host=h1')];
  const { records } = parse(lines, { container, sourceName: '0.log' });
  expect(records.map(({ service }) => service)).toEqual(['till', 'shop']);
  expect(records[0]?.resource).toBe(pod);
  expect(records[1]?.resource).toEqual(['host.name', 'h1', ...pod]);
  expect(parse(lines, { container, service: 'mill' }).records.map(({ service }) => service)).toEqual(['mill', 'mill']);
});
