/**
 * Fluent forward over TCP and TLS: Message, Forward, PackedForward and its compressed form. A message that names a `chunk` is
 * answered when the stream has every record of it; the same chunk sent again adds nothing.
 * Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { ByteQueue } from '../byte-queue.ts';
import { readEvent, resendEvents, smallBytesMax } from '../forward/events.ts';
import { type Conversation, ConversationEnd, type Listening, type ListeningReceiver, type Peer } from '../listening.ts';
import { MsgpackError, MsgpackFrame, MsgpackReader } from '../msgpack.ts';
import { type RecordSink, SinkRequest } from '../record-sink.ts';
import { unzstd } from '../zstd-frames.ts';

/** Fluentd sends chunks of 8 MB unless told otherwise. */
const messageBytesMax = 16 * 1024 * 1024;
const unpackedBytesMax = 32 * 1024 * 1024;
const tagCharactersMax = 1_024;
const chunkCharactersMax = 1_024;
/** A text of 128 bits is enough to tell chunks apart. */
const keyCharacters = 22;
const nonceBytes = 16;
const nothing = Buffer.alloc(0);
const packr = new Packr({ useRecords: false, variableMapSize: true });
/** A copy: the packer's own buffer is used again. */
const encode = (value: unknown): Uint8Array => Buffer.from(packr.pack(value));

export const forwardReceiver: ListeningReceiver = {
  name: 'forward',
  udp: true,
  open(sink, settings): Listening {
    return {
      speaksFirst: settings.sharedKey !== '',
      converse: (peer) => new ForwardConversation(sink, peer, settings),
      // Fluentd's heartbeat.
      datagram: (_data, _address, answer) => answer(Buffer.alloc(1)),
    };
  },
};

/** Events taken before others have their turn: some 10 ms of work. */
const eventsAtOnce = 1_000;

/** A message with many events, taken bit by bit. */
interface Job {
  reader: MsgpackReader;
  /** Events still to come; -1: as many as there are bytes. */
  left: number;
  tag: string;
  options: Options;
  request: SinkRequest | undefined;
}

interface Options {
  chunk: string;
  compressed: string;
  /** Fluent Bit: 0 = logs, 1 = metrics, 2 = traces. */
  signal: number;
}

class ForwardConversation implements Conversation {
  private readonly sink: RecordSink;
  private readonly peer: Peer;
  private readonly sharedKey: string;
  private readonly hostName: string;
  private readonly nonce = randomBytes(nonceBytes);
  private readonly queue = new ByteQueue();
  private readonly frame = new MsgpackFrame();
  private greeting: boolean;
  private job: Job | null = null;
  /** Bytes of the queue that the job stands in. */
  private jobBytes = 0;

  constructor(sink: RecordSink, peer: Peer, { sharedKey, hostName }: { sharedKey: string; hostName: string }) {
    this.sink = sink;
    this.peer = peer;
    this.sharedKey = sharedKey;
    this.hostName = hostName;
    this.greeting = sharedKey !== '';
    if (this.greeting) peer.send(encode(['HELO', { nonce: this.nonce, auth: '', keepalive: true }]));
  }

  get openBytes(): number {
    return this.queue.length;
  }

  get busy(): boolean {
    return this.job !== null;
  }

  take(chunk: Buffer): void {
    try {
      this.work(eventsAtOnce);
      // The job reads where it stands: nothing may move meanwhile.
      if (this.job !== null && chunk.length > 0) this.work(Number.POSITIVE_INFINITY);
      if (this.job !== null) return;
      this.queue.append(chunk);
      while (this.queue.length > 0) {
        const size = this.frame.end(this.queue.bytes, this.greeting ? smallBytesMax : messageBytesMax);
        if (size < 0) return;
        const message = this.queue.bytes.subarray(0, size);
        if (this.greeting) this.ping(new MsgpackReader(message));
        else this.message(new MsgpackReader(message));
        this.frame.reset();
        this.jobBytes = size;
        this.work(eventsAtOnce);
        if (this.job !== null) return;
        // A message without a job.
        this.queue.consume(this.jobBytes);
        this.jobBytes = 0;
      }
    } catch (error) {
      // Nothing tells where the next message would begin.
      if (error instanceof MsgpackError) {
        const reason = error.message === 'too long' ? 'tooLong' : 'malformed';
        this.setAside(reason, error.message, this.queue.bytes);
        throw new ConversationEnd(reason, error.message);
      }
      throw error;
    }
  }

  end(): void {
    try {
      while (this.job !== null) this.take(nothing);
    } catch (error) {
      if (!(error instanceof ConversationEnd)) throw error;
      this.sink.counts[error.reason]++;
      this.job = null;
      this.queue.consume(this.queue.length);
    }
    if (this.queue.length > 0)
      this.sink.reject('incomplete', 'the message was cut short', this.queue.bytes, this.peer.address);
    this.queue.consume(this.queue.length);
  }

  /** The listener counts what ends a conversation. */
  private setAside(reason: 'tooLong' | 'malformed', detail: string, bytes: Uint8Array): void {
    const { dead, receiver, time } = this.sink;
    const source = this.peer.address;
    const why = reason === 'tooLong' ? 'too_long' : 'malformed';
    dead.put({ reason: why, detail, receiver, source, service: '', atMs: time.now(), bytes });
  }

  private ping(reader: MsgpackReader): void {
    if (reader.array() !== 6 || reader.raw().toString() !== 'PING') throw new MsgpackError('expected PING');
    const client = reader.raw();
    const salt = reader.raw();
    const digest = reader.raw();
    const hashOf = (host: Uint8Array | string): string =>
      createHash('sha512').update(salt).update(host).update(this.nonce).update(this.sharedKey).digest('hex');
    const expected = Buffer.from(hashOf(client));
    const agreed = digest.length === expected.length && timingSafeEqual(digest, expected);
    const reason = agreed ? '' : 'shared_key mismatch';
    this.peer.send(encode(['PONG', agreed, reason, this.hostName, agreed ? hashOf(this.hostName) : '']));
    if (!agreed) throw new ConversationEnd('refused', reason);
    this.greeting = false;
  }

  private message(reader: MsgpackReader): void {
    // A lone nil keeps the connection alive.
    if (reader.kind() === 'nil') return;
    const size = reader.array();
    if (size < 2 || size > 4) throw new MsgpackError(`a message of ${size} parts`);
    const tag = reader.raw().toString('utf8');
    if (tag.length > tagCharactersMax) throw new MsgpackError('the tag is too long');
    const kind = reader.kind();
    if (kind === 'array') this.entries(reader, tag, size);
    else if (kind === 'string' || kind === 'binary') this.packed(reader, tag, size);
    else this.single(reader, tag, size);
  }

  private single(reader: MsgpackReader, tag: string, size: number): void {
    const start = reader.at;
    reader.skip();
    if (size < 3) throw new MsgpackError('an event without a record');
    reader.skip();
    const options = size > 3 ? optionsOf(reader.valueWithin(smallBytesMax)) : noOptions;
    reader.at = start;
    const request = this.begin(tag, options);
    this.event(reader, tag, request);
    this.finish(options, request);
  }

  private entries(reader: MsgpackReader, tag: string, size: number): void {
    const start = reader.at;
    reader.skip();
    const options = size > 2 ? optionsOf(reader.valueWithin(smallBytesMax)) : noOptions;
    reader.at = start;
    const request = this.begin(tag, options);
    this.job = { reader, left: reader.array(), tag, options, request };
  }

  private packed(reader: MsgpackReader, tag: string, size: number): void {
    const data = reader.raw();
    const options = size > 2 ? optionsOf(reader.valueWithin(smallBytesMax)) : noOptions;
    if (options.signal !== 0) {
      // Metrics and traces are no logs; not answered, so that the sender knows.
      this.sink.reject('malformed', 'metrics and traces are no logs', data, this.peer.address);
      return;
    }
    const events = new MsgpackReader(unpack(data, options.compressed));
    this.job = { reader: events, left: -1, tag, options, request: this.begin(tag, options) };
  }

  /** Takes so many events of the message under way. @throws MsgpackError */
  private work(eventsMax: number): void {
    const { job } = this;
    if (job === null) return;
    for (let taken = 0; job.left < 0 ? !job.reader.atEnd : job.left > 0; taken++) {
      if (taken >= eventsMax) return;
      if (job.left > 0) job.left--;
      this.entry(job.reader, job.tag, job.request);
    }
    this.job = null;
    this.finish(job.options, job.request);
    this.queue.consume(this.jobBytes);
    this.jobBytes = 0;
  }

  private entry(reader: MsgpackReader, tag: string, request: SinkRequest | undefined): void {
    if (reader.array() !== 2) throw new MsgpackError('an event is a time and a record');
    this.event(reader, tag, request);
  }

  /** Time and record, one behind the other. */
  private event(reader: MsgpackReader, tag: string, request: SinkRequest | undefined): void {
    const { sink, peer } = this;
    const read = readEvent(reader, tag, sink.time.now());
    if ('record' in read) sink.add(read.record, peer.address, request);
    else sink.reject(read.reason, read.reject, read.bytes, peer.address, { resend: resendEvents(tag) });
  }

  private begin(tag: string, { chunk }: Options): SinkRequest | undefined {
    if (chunk === '') return undefined;
    const hash = createHash('sha256').update(`forward ${chunk.length}:${chunk}${tag}`).digest('base64url');
    return new SinkRequest(hash.slice(0, keyCharacters));
  }

  private finish({ chunk }: Options, request: SinkRequest | undefined): void {
    request?.ticket.done().then(
      () => this.peer.send(encode({ ack: chunk })),
      // Not answered: the sender comes again.
      () => {},
    );
  }
}

const noOptions: Options = { chunk: '', compressed: '', signal: 0 };

function optionsOf(value: unknown): Options {
  if (typeof value !== 'object' || value === null) return noOptions;
  const { chunk, compressed, fluent_signal: signal } = value as Record<string, unknown>;
  if (typeof chunk === 'string' && chunk.length > chunkCharactersMax) throw new MsgpackError('the chunk is too long');
  return {
    chunk: typeof chunk === 'string' ? chunk : '',
    compressed: typeof compressed === 'string' ? compressed : '',
    signal: typeof signal === 'number' ? signal : 0,
  };
}

/** @throws MsgpackError */
function unpack(data: Buffer, compressed: string): Buffer {
  const options = { maxOutputLength: unpackedBytesMax };
  try {
    if (compressed === 'gzip') return gunzipSync(data, options);
    if (compressed === 'zstd') return unzstd(data, unpackedBytesMax);
    return data;
  } catch (error) {
    throw new MsgpackError(
      (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too long' : 'broken packing',
    );
  }
}
