/** Log files of many formats from seeded traffic. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Incident, incidentRound, toNdjson, Traffic } from '#generator/mod.ts';
import type { LogRecord } from '#protocol/mod.ts';

export const week = 7 * 86_400_000;

export function traffic(options: {
  seed: number;
  fromMs: number;
  seconds: number;
  ratePerSecond: number;
  incidents?: readonly Incident[];
}): LogRecord[] {
  const { seed, fromMs, seconds, ratePerSecond, incidents = [] } = options;
  const source = new Traffic({ seed, ratePerSecond, incidents });
  const records: LogRecord[] = [];
  for (let at = fromMs; at < fromMs + seconds * 1_000; at += 1_000) records.push(...source.step(at, at + 1_000));
  return records;
}

/** Half an hour with the generator's incidents, so that detectors have something to say. */
export function troubledTraffic(seed: number, fromMs: number): LogRecord[] {
  const incidents = incidentRound(fromMs + 600_000, 120_000, seed);
  return traffic({ seed, fromMs, seconds: 1_800, ratePerSecond: 8, incidents });
}

export const ndjson = (records: readonly LogRecord[]): string => records.map(toNdjson).join('');

export const shifted = (records: readonly LogRecord[], byMs: number): LogRecord[] =>
  records.map((record) => ({ ...record, timeMs: (record.timeMs as number) + byMs }));

const iso = (record: LogRecord): string => new Date(record.timeMs as number).toISOString();
const dated = (record: LogRecord): string => iso(record).replace('T', ' ').replace('.', ',').replace('Z', '');

function logfmt(record: LogRecord): string {
  return `ts=${iso(record)} level=${record.severityText?.toLowerCase()} service=${record.service} msg=${JSON.stringify(record.body)}\n`;
}

function syslog(record: LogRecord): string {
  return `<134>1 ${iso(record)} host-1 ${record.service} 4711 - - ${record.body}\n`;
}

const trace = [
  'java.lang.IllegalStateException: no stock',
  '\tat shop.Order.place(Order.java:42)',
  '\tat shop.Main.run(Main.java:7)',
  'Caused by: java.io.IOException: connection reset',
  '\t... 12 more',
];

/** Every tenth record brings a stack trace. */
function log4j(records: readonly LogRecord[]): string {
  return records
    .map((record, i) => {
      const line = `${dated(record)} ${record.severityText} [main] shop.Order: ${record.body}\n`;
      return i % 10 === 0 ? `${line}${trace.join('\n')}\n` : line;
    })
    .join('');
}

function access(record: LogRecord, i: number): string {
  const when = new Date(record.timeMs as number).toUTCString().split(' ');
  const stamp = `${when[1]}/${when[2]}/${when[3]}:${when[4]} +0000`;
  return `10.0.0.${i % 250} - - [${stamp}] "GET /cart/${i % 40} HTTP/1.1" ${i % 50 === 0 ? 503 : 200} ${500 + (i % 900)} "-" "probe/1.0"\n`;
}

interface MixedFiles {
  /** Lines of all files, the unpacked ones counted unpacked. */
  lines: number;
  /** Lines of stack traces. */
  folded: number;
  blank: number;
  rejected: number;
}

/** About 20,000 lines: a file per format, packed ones, a directory below, and what no format fits. */
export function writeMixedFiles(dir: string, nowMs: number): MixedFiles {
  const fromMs = nowMs - 1_300_000;
  const incidents = incidentRound(fromMs + 400_000, 100_000, 5);
  const records = traffic({ seed: 11, fromMs, seconds: 1_200, ratePerSecond: 17, incidents });
  const old = traffic({ seed: 12, fromMs: nowMs - week, seconds: 300, ratePerSecond: 6 });
  const part = (index: number): LogRecord[] => {
    const size = Math.ceil(records.length / 5);
    return records.slice(index * size, (index + 1) * size);
  };
  const binary = Buffer.from([0x80, 0xfe, 0xff, 0x01, 0x02, 0xc3, 0x28, 0x41, 0x42, 0x0a]);
  const files: Record<string, string | Buffer> = {
    'shop.ndjson': ndjson(part(0)),
    'packed.ndjson.gz': gzipSync(ndjson(part(1))),
    'below/agent.log.zst': zstdCompressSync(part(2).map(logfmt).join('')),
    'below/system.log': part(3).map(syslog).join(''),
    'orders.log': log4j(part(4)),
    'access.log': part(0).slice(0, 1_500).map(access).join(''),
    'last-week.ndjson': ndjson(old),
    'odd.log': Buffer.concat([
      Buffer.from(part(0).slice(0, 60).map(logfmt).join('')),
      binary,
      Buffer.from('\n\n'),
      Buffer.alloc(10 * 1024 * 1024, 'x'),
      Buffer.from('\n'),
      Buffer.from(part(0).slice(60, 120).map(logfmt).join('')),
    ]),
    'empty.log': '',
  };
  mkdirSync(join(dir, 'below'), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  const traces = Math.ceil(part(4).length / 10);
  return {
    lines: records.length + traces * trace.length + Math.min(1_500, part(0).length) + old.length + 120 + 4,
    folded: traces * trace.length,
    blank: 2,
    rejected: 1,
  };
}
