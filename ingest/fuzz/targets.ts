/** What is attacked: every receiver with a payload that it takes, each with so many records. A new receiver is a line here. */
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { ByteWriter } from '#protocol/mod.ts';
import type { ListeningName } from '../listening.ts';
import { delimited } from '../otlp/envelope.ts';

export interface HttpTarget {
  receiver: string;
  /** Port by its name; the main one where it has none. */
  port?: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
  /** Records that the body makes. */
  records: number;
  /** One call of gRPC instead of a request: `body` is its message. */
  grpc?: boolean;
}

export interface SocketTarget {
  receiver: ListeningName;
  message: Buffer;
  records: number;
}

const json = { 'content-type': 'application/json' };
const protobuf = { 'content-type': 'application/x-protobuf' };
const text = { 'content-type': 'text/plain' };
const of = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** A field of a protobuf message that has a length. */
function field(number: number, ...content: (Buffer | string)[]): Buffer {
  return delimited((number << 3) | 2, ...content.map((part) => Buffer.from(part as string)));
}

const pair = (key: string, value: string): Buffer[] => [field(1, key), field(2, field(1, value))];
const fixed64 = (number: number): Buffer => Buffer.concat([Buffer.from([(number << 3) | 1]), Buffer.alloc(8, 0x17)]);

const otlp = field(
  1,
  field(1, field(1, ...pair('service.name', 'fuzzed'))),
  field(
    2,
    field(1, field(1, 'scope')),
    ...[1, 2, 3].map((i) =>
      field(
        2,
        fixed64(1),
        Buffer.from([0x10, 9]),
        field(3, 'INFO'),
        field(5, i === 2 ? field(5, field(1, ...pair('k', 'v'))) : field(1, `line ${i}`)),
        field(6, ...pair('attribute', 'x'.repeat(30))),
        field(9, Buffer.alloc(16, 7)),
        field(10, Buffer.alloc(8, 7)),
      ),
    ),
  ),
);
const otlpJson = of({
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'fuzzed' } }] },
      scopeLogs: [
        {
          logRecords: [
            {
              timeUnixNano: '1763700000000000001',
              body: { kvlistValue: { values: [{ key: 'k', value: { intValue: '1' } }] } },
            },
            {
              severityNumber: 17,
              body: { stringValue: 'b' },
              attributes: [{ key: 'x', value: { arrayValue: { values: [{ doubleValue: 1.5 }] } } }],
            },
          ],
        },
      ],
    },
  ],
});
const loki = field(
  1,
  field(1, '{app="fuzzed", pod="p-1"}'),
  ...[1, 2].map((i) =>
    field(2, field(1, Buffer.from([0x08, 1, 0x10, 5])), field(2, `line ${i}`), field(3, field(1, 'k'), field(2, 'v'))),
  ),
);

/** As one literal: what any snappy reader must take. */
function snappy(data: Buffer): Buffer {
  const writer = new ByteWriter();
  writer.varint(data.length);
  const size = Buffer.alloc(2);
  size.writeUInt16LE(data.length - 1);
  return Buffer.concat([writer.copy(), Buffer.from([61 << 2]), size, data]);
}

const events = of({
  time: 1_763_700_000.5,
  host: 'h',
  sourcetype: 'fuzzed',
  event: { message: 'a', n: 1 },
  fields: { level: 'warn' },
});
const bulk = Buffer.from(
  '{"create":{"_index":"logs-fuzzed"}}\n{"@timestamp":"2026-11-21T10:00:00Z","message":"a","log":{"level":"warn"}}\n' +
    '{"index":{"_id":"1","_index":"logs-fuzzed"}}\n{"message":"b","kubernetes":{"pod":{"name":"p"}}}\n',
);
const ndjson = Buffer.from(
  '{"timestamp":"2026-11-21T10:00:00Z","service":"fuzzed","level":"warn","msg":"a","n":1.5}\n{"service":"fuzzed","message":"b","deep":{"x":[1,{"y":null}]}}\n',
);
const datadog = of([
  {
    message: '{"level":"warn","msg":"a"}',
    service: 'fuzzed',
    ddtags: 'env:x,b',
    timestamp: 1_763_700_000_123,
    status: 'info',
  },
  { message: 'plain', hostname: 'h', other: { a: [1] } },
]);
const cloudWatch = gzipSync(
  JSON.stringify({
    messageType: 'DATA_MESSAGE',
    logGroup: '/aws/lambda/fuzzed',
    logEvents: [{ id: '1', timestamp: 1_763_700_000_123, message: 'START' }],
  }),
);
const firehose = of({
  requestId: 'r',
  timestamp: 1,
  records: [
    { data: cloudWatch.toString('base64') },
    { data: Buffer.from('{"msg":"a"}{"msg":"b"}').toString('base64') },
  ],
});

function journalField(name: string, value: Buffer): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, value, Buffer.from('\n')]);
}
const journal = Buffer.concat(
  [1, 2].map((i) =>
    Buffer.concat([
      Buffer.from(`__REALTIME_TIMESTAMP=176370000000000${i}\n_HOSTNAME=h\n_SYSTEMD_UNIT=fuzzed.service\nPRIORITY=3\n`),
      journalField('MESSAGE', Buffer.from(`line ${i}\nnext`)),
      Buffer.from('_PID=1\n\n'),
    ]),
  ),
);

const packr = new Packr({ useRecords: false });
const pack = (value: unknown): Buffer => packr.pack(value);
const entries = Buffer.concat([
  pack([1_763_700_000, { log: 'a', n: [1, { x: null }] }]),
  pack([1.5, { message: 'b' }]),
]);

export const httpTargets: readonly HttpTarget[] = [
  {
    receiver: 'ingest',
    path: '/ingest',
    headers: { 'content-type': 'application/x-ndjson' },
    body: ndjson,
    records: 2,
  },
  {
    receiver: 'ingest',
    path: '/ingest?service=fuzzed',
    headers: text,
    body: Buffer.from('2026-11-21T10:00:00Z ERROR boom\n  at x\nnext\n'),
    records: 2,
  },
  { receiver: 'otlpHttp', path: '/v1/logs', headers: protobuf, body: otlp, records: 3 },
  { receiver: 'otlpHttp', path: '/v1/logs', headers: json, body: otlpJson, records: 2 },
  {
    receiver: 'otlpGrpc',
    port: 'otlpGrpc',
    path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    headers: {},
    body: otlp,
    records: 3,
    grpc: true,
  },
  { receiver: 'loki', path: '/loki/api/v1/push', headers: protobuf, body: snappy(loki), records: 2 },
  {
    receiver: 'loki',
    path: '/loki/api/v1/push',
    headers: json,
    body: of({
      streams: [
        {
          stream: { app: 'fuzzed' },
          values: [
            ['1763700000000000000', 'a', { k: 'v' }],
            ['1763700000000000001', '{"level":"warn"}'],
          ],
        },
      ],
    }),
    records: 2,
  },
  {
    receiver: 'elasticsearch',
    path: '/_bulk',
    headers: { 'content-type': 'application/x-ndjson' },
    body: bulk,
    records: 2,
  },
  {
    receiver: 'elasticsearch',
    path: '/logs-fuzzed/_doc',
    headers: json,
    body: of({ message: 'a', level: 'warn' }),
    records: 1,
  },
  {
    receiver: 'splunk',
    path: '/services/collector',
    headers: { authorization: 'Splunk t' },
    body: Buffer.concat([events, events]),
    records: 2,
  },
  {
    receiver: 'splunk',
    path: '/services/collector/raw?sourcetype=fuzzed',
    headers: {},
    body: Buffer.from('one\ntwo\n'),
    records: 2,
  },
  {
    receiver: 'journald',
    port: 'journald',
    path: '/upload',
    headers: { 'content-type': 'application/vnd.fdo.journal', 'transfer-encoding': 'chunked' },
    body: journal,
    records: 2,
  },
  {
    receiver: 'journald',
    path: '/upload',
    headers: { 'content-type': 'application/vnd.fdo.journal', 'transfer-encoding': 'chunked' },
    body: journal,
    records: 2,
  },
  { receiver: 'datadog', path: '/api/v2/logs?ddsource=x&ddtags=a:b', headers: json, body: datadog, records: 2 },
  { receiver: 'datadog', path: '/v1/input', headers: text, body: Buffer.from('one\ntwo'), records: 2 },
  {
    receiver: 'firehose',
    path: '/aws/firehose',
    headers: {
      ...json,
      'x-amz-firehose-request-id': 'r-1',
      'x-amz-firehose-common-attributes': '{"commonAttributes":{"a":"b"}}',
    },
    body: firehose,
    records: 3,
  },
  {
    receiver: 'forward',
    path: '/fluent?tag=fuzzed',
    headers: { 'content-type': 'application/msgpack' },
    body: entries,
    records: 2,
  },
];

const gelf = of({
  version: '1.1',
  host: 'h',
  short_message: 'a',
  level: 3,
  _app: 'fuzzed',
  timestamp: 1_763_700_000.5,
});
const rfc5424 = '<131>1 2026-11-21T10:00:00.5Z h fuzzed 7 ID [x@1 a="b" c="d\\"e"] card declined';
const rfc3164 = '<34>Nov 21 10:00:00 h fuzzed[7]: card declined';

/** Each message ends where the next begins. */
export const socketTargets: readonly SocketTarget[] = [
  { receiver: 'syslog', message: Buffer.from(`${rfc5424}\n${rfc3164}\n`), records: 2 },
  { receiver: 'syslog', message: Buffer.from(`${rfc5424.length} ${rfc5424}${rfc3164.length} ${rfc3164}`), records: 2 },
  { receiver: 'gelf', message: Buffer.concat([gelf, Buffer.alloc(1)]), records: 1 },
  { receiver: 'forward', message: pack(['fuzzed', 1_763_700_000, { log: 'x' }]), records: 1 },
  {
    receiver: 'forward',
    message: pack([
      'fuzzed',
      [
        [1, { log: 'x' }],
        [2, { log: 'y' }],
      ],
      { chunk: 'c' },
    ]),
    records: 2,
  },
  { receiver: 'forward', message: pack(['fuzzed', gzipSync(entries), { compressed: 'gzip' }]), records: 2 },
  { receiver: 'forward', message: pack(['fuzzed', zstdCompressSync(entries), { compressed: 'zstd' }]), records: 2 },
];

const piece = (index: number, count: number): Buffer =>
  Buffer.concat([
    Buffer.from([0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, index, count]),
    gelf.subarray(index * 40, index === count - 1 ? gelf.length : (index + 1) * 40),
  ]);

export const datagramTargets: readonly SocketTarget[] = [
  { receiver: 'syslog', message: Buffer.from(rfc5424), records: 1 },
  { receiver: 'gelf', message: gelf, records: 1 },
  { receiver: 'gelf', message: gzipSync(gelf), records: 1 },
  { receiver: 'gelf', message: deflateSync(gelf), records: 1 },
  { receiver: 'gelf', message: piece(0, 3), records: 0 },
  { receiver: 'gelf', message: piece(2, 3), records: 0 },
];

/** Lines of every format, for what reads text. */
export const lines: readonly string[] = [
  '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "http://x/" "Mozilla/4.08"',
  rfc5424,
  rfc3164,
  '2026-11-21T10:00:00.123+02:00 web-1 sshd[12]: Accepted password',
  '2026/11/21 10:00:00 [error] 7#7: *1 connect() failed, client: 1.2.3.4',
  '[Sat Nov 21 10:00:00 2026] [core:error] [pid 7] AH00135: Invalid method',
  '11-21 10:00:00.123  1702  2395 D WindowManager: printFreezingDisplayLogs',
  '2026-11-21 10:00:00, Info                  CBS    Loaded Servicing Stack',
  'I1121 10:00:00.123456    7 main.go:42] listening',
  '2026-11-21T10:00:00.123456789Z stdout F level=warn msg="a b"',
  '2026-11-21T10:00:00.123456789Z stderr P {"level":"error","msg":"half',
  '{"log":"a half","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-21T10:00:00.123456789Z"}',
  '{"log":"\\tat com.x.Oven.bake(Oven.java:7)\\n","stream":"stderr","time":"2026-11-21T10:00:00.123456789Z"}',
  '[12345.678901] usb 1-1: new high-speed USB device',
  'type=SYSCALL msg=audit(1763700000.123:42): arch=c000003e syscall=59 success=yes',
  'time=2026-11-21T10:00:00Z level=warn msg="a b" order=7',
  '{"timestamp":"2026-11-21T10:00:00Z","level":"warn","msg":"a","deep":{"x":[1]}}',
  '2026-11-21 10:00:00,123 ERROR [main] c.x.Oven - boom',
  'java.lang.IllegalStateException: boom',
  '\tat com.x.Oven.bake(Oven.java:7)',
  'Caused by: java.io.IOException: x',
  'Traceback (most recent call last):',
  '  File "a.py", line 1, in <module>',
  'ERROR something without a time',
  'plain words',
  '',
];
