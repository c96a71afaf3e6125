/**
 * Syslog over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425): RFC 5424, RFC 3164 and what devices make of it. A
 * connection shows with its first message how it frames: by octet count (`57 <34>…`), or by a newline or NUL behind each.
 */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { recordBytesMax } from '#protocol/mod.ts';
import { ByteQueue } from '../byte-queue.ts';
import type { Conversation, Listening, ListeningReceiver } from '../listening.ts';
import { type RecordSink, resendText } from '../record-sink.ts';

const nothing = Buffer.alloc(0);
/** A parser resolves stamps without a year against the time it was made at. */
const parserKeptMs = 600_000;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const less = 0x3c;
/** Digits of an octet count: under a gigabyte, so that a message that is too long can be skipped. */
const countDigitsMax = 9;

export const syslogReceiver: ListeningReceiver = {
  name: 'syslog',
  udp: true,
  open(sink, { utcOffsetMinutes }): Listening {
    const datagrams = new SyslogMessages(sink, utcOffsetMinutes);
    return {
      converse: (peer) => new SyslogConversation(sink, new SyslogMessages(sink, utcOffsetMinutes), peer.address),
      datagram: (data, address) => datagrams.take(data, address),
    };
  },
};

/** Whole messages to records. */
class SyslogMessages {
  private readonly sink: RecordSink;
  private readonly utcOffsetMinutes: number;
  private parser: LineParser | null = null;
  private parserSinceMs = 0;
  private address = '';
  /** Under way. */
  private message: Buffer = nothing;

  constructor(sink: RecordSink, utcOffsetMinutes: number) {
    this.sink = sink;
    this.utcOffsetMinutes = utcOffsetMinutes;
  }

  take(message: Buffer, address: string): void {
    let end = message.length;
    while (end > 0 && isTrailer(message[end - 1] as number)) end--;
    if (end === 0) return;
    const now = this.sink.time.now();
    if (this.parser === null || now - this.parserSinceMs > parserKeptMs) {
      this.parser = new LineParser({
        observedMs: now,
        timeZone: this.utcOffsetMinutes,
        onReject: (_line, reason) =>
          this.sink.reject('tooLong', reason, this.message, this.address, { resend: resendText }),
      });
      this.parserSinceMs = now;
    }
    this.address = address;
    this.message = message.subarray(0, end);
    this.parser.push(this.message, this.emit);
    // Each message is a record of its own: newlines in it are its text.
    this.parser.flush(this.emit);
    this.message = nothing;
  }

  private readonly emit = (record: ParsedRecord): void => {
    // Who sent it, where the message itself does not say.
    if (record.resource === undefined && this.address !== '') record.resource = ['client.address', this.address];
    this.sink.add(record, this.address);
  };
}

function isTrailer(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn || byte === 0;
}

class SyslogConversation implements Conversation {
  private readonly sink: RecordSink;
  private readonly messages: SyslogMessages;
  private readonly address: string;
  private readonly queue = new ByteQueue();
  private framing: 'unknown' | 'octets' | 'lines' = 'unknown';
  /** Bytes at the start of the queue in which no end of line was found. */
  private searched = 0;
  /** Bytes of a counted message that is too long. */
  private skip = 0;
  /** The line under way is too long: all up to its end is dropped. */
  private skippingLine = false;
  /** The last counted message did not end where it said: looking for the next. */
  private lost = false;

  constructor(sink: RecordSink, messages: SyslogMessages, address: string) {
    this.sink = sink;
    this.messages = messages;
    this.address = address;
  }

  get openBytes(): number {
    return this.queue.length;
  }

  take(chunk: Buffer): void {
    this.queue.append(chunk);
    while (this.queue.length > 0) {
      if (this.framing === 'unknown') {
        const header = readCount(this.queue.bytes);
        if (header === 'incomplete') return;
        this.framing = header === 'none' ? 'lines' : 'octets';
      }
      if (!(this.framing === 'octets' ? this.counted() : this.line())) return;
    }
  }

  end(): void {
    // A counted message that is not whole was cut; a line may lack its newline.
    if (this.framing !== 'octets' && !this.skippingLine) this.messages.take(this.queue.bytes, this.address);
    else if (this.queue.length > 0)
      this.sink.reject('incomplete', 'the message was cut short', this.queue.bytes, this.address);
    this.queue.consume(this.queue.length);
  }

  private tooLong(bytes: Buffer, whole = bytes.length): void {
    const detail = `the message has ${whole} bytes or more, ${recordBytesMax} are allowed`;
    this.sink.reject('tooLong', detail, bytes, this.address, { resend: resendText });
  }

  /** One line, false where there is no whole one. */
  private line(): boolean {
    const { queue, searched } = this;
    const { bytes } = queue;
    const end = endOfLine(bytes, searched);
    if (end < 0) {
      this.searched = bytes.length;
      if (bytes.length <= recordBytesMax) return false;
      if (!this.skippingLine) this.tooLong(bytes);
      this.skippingLine = true;
      queue.consume(bytes.length);
      this.searched = 0;
      return false;
    }
    this.searched = 0;
    if (this.skippingLine) this.skippingLine = false;
    else if (end > recordBytesMax) this.tooLong(bytes.subarray(0, end));
    else this.messages.take(bytes.subarray(0, end), this.address);
    queue.consume(end + 1);
    return true;
  }

  /** One counted message, false where there is no whole one. */
  private counted(): boolean {
    const { queue } = this;
    if (this.skip > 0) {
      const skipped = Math.min(this.skip, queue.length);
      queue.consume(skipped);
      this.skip -= skipped;
      return queue.length > 0;
    }
    let { bytes } = queue;
    let padding = 0;
    while (padding < bytes.length && (isTrailer(bytes[padding] as number) || bytes[padding] === space)) padding++;
    if (padding > 0) {
      queue.consume(padding);
      bytes = queue.bytes;
      if (bytes.length === 0) return false;
    }
    const header = readCount(bytes);
    if (header === 'incomplete') return false;
    if (header === 'none') {
      const next = nextCount(bytes);
      if (!this.lost)
        this.sink.reject('malformed', 'no octet count where one should be', bytes.subarray(0, next), this.address, {
          resend: resendText,
        });
      this.lost = true;
      queue.consume(next);
      return next < bytes.length && next > 0;
    }
    this.lost = false;
    const [start, length] = header;
    if (length > recordBytesMax) {
      this.tooLong(bytes.subarray(start, start + length), length);
      queue.consume(start);
      this.skip = length;
      return true;
    }
    if (bytes.length < start + length) return false;
    this.messages.take(bytes.subarray(start, start + length), this.address);
    queue.consume(start + length);
    return true;
  }
}

function endOfLine(bytes: Buffer, from: number): number {
  const feed = bytes.indexOf(lineFeed, from);
  const nul = (feed < 0 ? bytes : bytes.subarray(0, feed)).indexOf(0, from);
  return nul < 0 ? feed : nul;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** `57 <3` at the start: where the message begins, and its length. */
function readCount(bytes: Buffer): [start: number, length: number] | 'none' | 'incomplete' {
  let at = 0;
  let length = 0;
  while (at < bytes.length && at < countDigitsMax && isDigit(bytes[at] as number))
    length = length * 10 + (bytes[at++] as number) - 0x30;
  if (at === 0 || bytes[0] === 0x30) return 'none';
  if (at === bytes.length) return 'incomplete';
  if (bytes[at] !== space) return 'none';
  if (at + 1 === bytes.length) return 'incomplete';
  if (bytes[at + 1] !== less) return 'none';
  if (at + 2 === bytes.length) return 'incomplete';
  return isDigit(bytes[at + 2] as number) ? [at + 1, length] : 'none';
}

/** How much to drop until something that may be a count begins: all but what may be the start of one. */
function nextCount(bytes: Buffer): number {
  for (let at = bytes.indexOf(less, 1); at >= 0; at = bytes.indexOf(less, at + 1)) {
    let start = at - 1;
    if (bytes[start] !== space || (at + 1 < bytes.length && !isDigit(bytes[at + 1] as number))) continue;
    while (start > 1 && isDigit(bytes[start - 1] as number) && at - start <= countDigitsMax) start--;
    if (start < at - 1 && bytes[start] !== 0x30) return start;
  }
  let tail = bytes.length;
  if (tail > 1 && bytes[tail - 1] === less) tail--;
  if (tail > 1 && bytes[tail - 1] === space) tail--;
  while (tail > 1 && bytes.length - tail <= countDigitsMax && isDigit(bytes[tail - 1] as number)) tail--;
  return Math.max(tail, 1);
}
