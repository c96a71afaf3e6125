/**
 * GELF 1.1 over UDP (plain, gzip, zlib; in pieces) and TCP, TLS (a NUL behind each message).
 * Source: https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
 */
import { gunzipSync, inflateSync } from 'node:zlib';
import { parseJsonObject } from '#analysis/formats/mod.ts';
import { type LogRecord, recordBytesMax } from '#protocol/mod.ts';
import { ByteQueue } from '../byte-queue.ts';
import type { Conversation, Listening, ListeningReceiver } from '../listening.ts';
import { numberOf } from '../mapping/json.ts';
import { type RecordSink, resendJson } from '../record-sink.ts';
import { withConventions } from '../mapping/collector-fields.ts';

/** JSON text of one message: twice a record, for its escapes. */
const messageBytesMax = 2 * recordBytesMax;
/** Pieces of one message, and how long the others are waited for: as the format says. */
const piecesMax = 128;
const pieceMs = 5_000;
const pieceHeaderBytes = 12;
/** Messages of which pieces are held, and the bytes of these. */
const unfinishedMax = 4_096;
const unfinishedBytesMax = 16 * 1024 * 1024;
const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;

export const gelfReceiver: ListeningReceiver = {
  name: 'gelf',
  udp: true,
  open(sink): Listening {
    const pieces = new Pieces(sink);
    return {
      converse: (peer) => new GelfConversation(sink, peer.address),
      datagram: (data, address) => {
        const whole = isPiece(data) ? pieces.take(data, address) : data;
        if (whole === null) return;
        const json = unpack(whole);
        if (json === null) sink.reject('malformed', 'it cannot be unpacked', whole, address);
        else takeMessage(json, address, sink);
      },
      sweep: () => pieces.sweep(),
    };
  },
};

/** By its first bytes: zlib, gzip, or as it is. Null where it is not what it says, or becomes too large. */
function unpack(data: Buffer): Buffer | null {
  const [first = 0, second = 0] = data;
  try {
    if (first === 0x1f && second === 0x8b) return gunzipSync(data, { maxOutputLength: messageBytesMax });
    if ((first & 0x0f) === 8 && (first * 256 + second) % 31 === 0)
      return inflateSync(data, { maxOutputLength: messageBytesMax });
    return data;
  } catch {
    return null;
  }
}

function takeMessage(json: Buffer, address: string, sink: RecordSink): void {
  if (json.length > messageBytesMax) {
    tooLong(json, address, sink);
    return;
  }
  const malformed = (detail: string): void => sink.reject('malformed', detail, json, address, { resend: resendJson });
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch (error) {
    malformed(`not JSON: ${(error as Error).message}`);
    return;
  }
  const record = gelfRecord(value, sink.time.now());
  if (record === null) {
    malformed('no message: short_message is missing');
    return;
  }
  record.resource ??= address === '' ? undefined : ['client.address', address];
  sink.add(record, address);
}

function tooLong(bytes: Buffer, address: string, sink: RecordSink): void {
  const detail = `the message has ${bytes.length} bytes or more, ${messageBytesMax} are allowed`;
  sink.reject('tooLong', detail, bytes, address, { resend: resendJson });
}

/** A message as a record, null where it is none. Names of additional fields lose their underscore. */
export function gelfRecord(value: unknown, nowMs: number): LogRecord | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const message = value as Record<string, unknown>;
  const { short_message: short, full_message: full, level, host, timestamp, facility } = message;
  // Null prototype: any name is only a name.
  const fields = Object.create(null) as Record<string, unknown>;
  if (timestamp !== undefined) fields['timestamp'] = timestamp;
  if (host !== undefined) fields['host'] = host;
  const keyword = severities[numberOf(level) as 0];
  if (keyword !== undefined) fields['severity'] = keyword;
  // The long form repeats the short one as a rule, and has the stack trace behind it.
  const text = isText(short) ? short : isText(full) ? full : undefined;
  const fullIsMore = isText(full) && text !== undefined && full.startsWith(text);
  if (text !== undefined) fields['body'] = fullIsMore ? full : text;
  if (isText(full) && !fullIsMore) fields['gelf.full_message'] = full;
  if (facility !== undefined) fields['gelf.facility'] = facility;
  if (message['file'] !== undefined) fields['code.file.path'] = message['file'];
  if (message['line'] !== undefined) fields['code.line.number'] = message['line'];
  for (const key in message) {
    if (known.has(key) && !(key === 'level' && keyword === undefined) && !(key === 'short_message' && text !== short))
      continue;
    const name = key.startsWith('_') ? key.slice(1) : key;
    fields[name === '' || name in fields ? key : name] = message[key];
  }
  const record = parseJsonObject(fields, { observedMs: nowMs });
  if ('reject' in record) return null;
  // Newer clients send it as a field of their own.
  const said = isText(facility) ? facility : message['_facility'];
  return withConventions(record, isText(said) ? said : '');
}

const known: ReadonlySet<string> = new Set([
  'version',
  'timestamp',
  'host',
  'level',
  'short_message',
  'full_message',
  'facility',
  'file',
  'line',
]);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const isPiece = (data: Buffer): boolean => data[0] === 0x1e && data[1] === 0x0f;

interface Unfinished {
  pieces: (Buffer | undefined)[];
  left: number;
  bytes: number;
  sinceMs: number;
}

/** Messages that come in pieces, in any order. A forgotten one counts as `incomplete`. */
class Pieces {
  private readonly sink: RecordSink;
  /** Oldest first. */
  private readonly unfinished = new Map<string, Unfinished>();
  private bytes = 0;

  constructor(sink: RecordSink) {
    this.sink = sink;
  }

  /** The whole message, or null while pieces are missing. */
  take(data: Buffer, address: string): Buffer | null {
    const { time } = this.sink;
    const [index, count] = [data[10], data[11]];
    if (
      data.length <= pieceHeaderBytes ||
      index === undefined ||
      count === undefined ||
      count > piecesMax ||
      index >= count
    ) {
      this.sink.reject('malformed', 'no piece of a message', data, address);
      return null;
    }
    // An address may only complete what it began.
    const key = `${address} ${data.toString('latin1', 2, 10)}`;
    let message = this.unfinished.get(key);
    if (message !== undefined && (message.pieces.length !== count || time.now() - message.sinceMs > pieceMs)) {
      this.giveUp(key, message);
      message = undefined;
    }
    if (message === undefined) {
      while (this.unfinished.size >= unfinishedMax) this.forgetOldest();
      message = { pieces: Array.from({ length: count }), left: count, bytes: 0, sinceMs: time.now() };
      this.unfinished.set(key, message);
    }
    if (message.pieces[index] !== undefined) return null;
    const piece = data.subarray(pieceHeaderBytes);
    message.pieces[index] = piece;
    message.left--;
    message.bytes += piece.length;
    this.bytes += piece.length;
    if (message.bytes > messageBytesMax) {
      this.forget(key, message);
      tooLong(Buffer.concat(message.pieces.filter((one) => one !== undefined)), address, this.sink);
      return null;
    }
    if (message.left > 0) {
      while (this.bytes > unfinishedBytesMax) this.forgetOldest();
      return null;
    }
    this.forget(key, message);
    return Buffer.concat(message.pieces as Buffer[]);
  }

  sweep(): void {
    const now = this.sink.time.now();
    for (const { sinceMs } of this.unfinished.values()) {
      if (now - sinceMs <= pieceMs) return;
      this.forgetOldest();
    }
  }

  private forgetOldest(): void {
    for (const [key, message] of this.unfinished) {
      this.giveUp(key, message);
      return;
    }
  }

  private giveUp(key: string, message: Unfinished): void {
    this.forget(key, message);
    const { left, pieces } = message;
    const here = Buffer.concat(pieces.filter((one) => one !== undefined));
    this.sink.reject('incomplete', `${left} of ${pieces.length} pieces never came`, here, key.split(' ', 1)[0] ?? '');
  }

  private forget(key: string, message: Unfinished): void {
    this.unfinished.delete(key);
    this.bytes -= message.bytes;
  }
}

class GelfConversation implements Conversation {
  private readonly sink: RecordSink;
  private readonly address: string;
  private readonly queue = new ByteQueue();
  private searched = 0;
  /** The message under way is too long: all up to its end is dropped. */
  private skipping = false;

  constructor(sink: RecordSink, address: string) {
    this.sink = sink;
    this.address = address;
  }

  get openBytes(): number {
    return this.queue.length;
  }

  take(chunk: Buffer): void {
    this.queue.append(chunk);
    while (this.queue.length > 0) {
      const { bytes } = this.queue;
      const end = bytes.indexOf(0, this.searched);
      if (end < 0) {
        this.searched = bytes.length;
        if (bytes.length <= messageBytesMax) return;
        if (!this.skipping) tooLong(bytes, this.address, this.sink);
        this.skipping = true;
        this.searched = 0;
        this.queue.consume(bytes.length);
        return;
      }
      this.message(bytes.subarray(0, end));
      this.searched = 0;
      this.queue.consume(end + 1);
    }
  }

  end(): void {
    if (this.queue.length > 0) this.message(this.queue.bytes);
    this.queue.consume(this.queue.length);
  }

  private message(bytes: Buffer): void {
    if (this.skipping) this.skipping = false;
    else if (bytes.some((byte) => byte > 0x20)) takeMessage(bytes, this.address, this.sink);
  }
}
