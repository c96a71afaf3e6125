/** Hostile versions of what is taken, by seed: damaged, nested, lying about lengths, badly packed, for terminals. */
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { damaged, type Random } from '../testing/fuzz.ts';

export const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

const depth = 10_000;
/** Text that is put in anywhere. */
const texts: readonly string[] = [
  '\0',
  '\u001b[2J\u001b]0;owned\u0007\u001b[31m',
  '\u202e\ufeff',
  '${jndi:ldap://x}',
  '%s%n',
  '"',
  '\\',
  '\r\n\r\n',
  '<script>',
  '99999999999999999999999999',
  '-1e999',
  'NaN',
];
const bytes: readonly Buffer[] = [
  Buffer.from([0xff, 0xfe, 0xc0, 0x80]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xf4, 0x90, 0x80, 0x80]),
  // Varints without end, and of the largest value.
  Buffer.alloc(12, 0xff),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  // MessagePack: text, bytes, list, map and extension of four billion.
  Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xc9, 0xff, 0xff, 0xff, 0xff, 0x00]),
  Buffer.alloc(8, 0xff),
  Buffer.alloc(depth, 0x91),
  Buffer.alloc(depth, 0x0a),
  Buffer.from('['.repeat(depth)),
  Buffer.from('{"a":'.repeat(depth)),
];
const values: readonly unknown[] = [
  null,
  true,
  -0,
  1e308,
  2 ** 53,
  '',
  [],
  {},
  [[[[]]]],
  { __proto__: null, constructor: { prototype: {} }, toString: 1, length: 7 },
  'x'.repeat(300_000),
  ...texts,
];

/** A bomb: 64 MiB in some 64 KiB, or less where the packing is better. Made once. */
const bombs: Record<string, Buffer> = {};
function bomb(encoding: string): Buffer {
  return (bombs[encoding] ??= packed(encoding, Buffer.alloc(64 << 20, 0x20)));
}

function packed(encoding: string, data: Buffer): Buffer {
  if (encoding === 'gzip') return gzipSync(data);
  return encoding === 'zstd' ? zstdCompressSync(data) : deflateSync(data);
}

export interface Hostile {
  body: Buffer;
  headers: Record<string, string>;
}

/** One of many ways to spoil a request. */
export function hostileRequest(body: Buffer, headers: Readonly<Record<string, string>>, random: Random): Hostile {
  const made: Hostile = { body: hostileBytes(body, random), headers: { ...headers } };
  const encoding = pick(random, ['gzip', 'deflate', 'zstd'] as const);
  switch (Math.floor(random() * 14)) {
    case 0:
      // It is not what it says.
      made.headers['content-encoding'] = pick(random, [encoding, 'snappy', 'br', 'gzip, gzip', '', '\t']);
      break;
    case 1:
      made.body = packed(encoding, made.body);
      made.headers['content-encoding'] = encoding;
      break;
    case 2:
      made.body = damaged(packed(encoding, body), random);
      made.headers['content-encoding'] = encoding;
      break;
    case 3:
      // Rarely, as they cost a tenth of a second each.
      if (random() > 0.15) break;
      made.body = bomb(encoding);
      made.headers['content-encoding'] = encoding;
      break;
    case 4:
      made.headers['content-type'] = pick(random, [
        'application/json',
        'application/x-protobuf',
        'text/plain',
        'application/x-ndjson',
        'multipart/form-data',
        'application/vnd.fdo.journal',
        'a'.repeat(500),
        '',
      ]);
      break;
    case 5:
      made.headers['idempotency-key'] = pick(random, ['', 'k', 'x'.repeat(300), 'a b', '\t']);
      break;
    case 6:
      made.headers['transfer-encoding'] = 'chunked';
      break;
    default:
  }
  return made;
}

/** The same for bytes alone. */
export function hostileBytes(body: Buffer, random: Random): Buffer {
  switch (Math.floor(random() * 8)) {
    case 0:
      return withInserted(body, pick(random, bytes), random);
    case 1:
      return withInserted(body, Buffer.from(pick(random, texts)), random);
    case 2:
      return body.subarray(0, Math.floor(random() * body.length));
    case 3:
      return spoiledJson(body, random);
    case 4:
      return Buffer.concat([body, damaged(body, random), body]);
    case 5:
      return random() < 0.2
        ? withInserted(body, Buffer.alloc(300_000, pick(random, [0, 0x20, 0x61, 0xff])), random)
        : body;
    default:
      return damaged(body, random);
  }
}

function withInserted(body: Buffer, more: Buffer, random: Random): Buffer {
  const at = Math.floor(random() * (body.length + 1));
  return Buffer.concat([body.subarray(0, at), more, body.subarray(at)]);
}

/** JSON, or lines of it, with a value somewhere that nobody expects there. */
function spoiledJson(body: Buffer, random: Random): Buffer {
  const lines = body.toString('utf8').split('\n');
  const at = Math.floor(random() * lines.length);
  try {
    const value: unknown = JSON.parse(lines[at] as string);
    lines[at] = JSON.stringify(spoiled(value, random));
    if (random() < 0.3)
      lines[at] = lines[at].replace(/"([^"]*)"/, `"$1":${'['.repeat(depth)}${']'.repeat(depth)},"$1"`);
    return Buffer.from(lines.join('\n'));
  } catch {
    return damaged(body, random);
  }
}

function spoiled(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random() < 0.15) return pick(random, values);
  if (Array.isArray(value)) {
    const list = [...(value as unknown[])];
    const at = Math.floor(random() * (list.length + 1));
    list[at] = spoiled(list[at], random);
    return list;
  }
  const object: Record<string, unknown> = { ...value };
  const keys = Object.keys(object);
  const key =
    random() < 0.2
      ? pick(random, ['__proto__', 'constructor', '', 'time', 'level', 'message', ...texts])
      : pick(random, keys);
  if (key !== undefined) object[key] = spoiled(object[key], random);
  return object;
}
