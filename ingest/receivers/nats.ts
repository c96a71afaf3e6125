/**
 * Logs that applications publish to NATS, `logs.in.<service>`: NDJSON, or lines of text. Of all gateways one takes each message. A
 * request is answered once the stream has its records; what is only published is dropped, and counted, when the
 * gateway holds as much as it may.
 */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import type { Bus } from '#bus/mod.ts';
import { LogweirError, recordBytesMax, streams, subjects } from '#protocol/mod.ts';
import { reasonOf } from '../bury.ts';
import { NdjsonScanner } from '../ndjson.ts';
import { type RecordSink, SinkRequest } from '../record-sink.ts';

const queue = 'logweir-gateway';
/** Strays are taken off the stream together. */
const purgeEveryMs = 1_000;
const lineFeed = 0x0a;
const braceOpen = 0x7b;

/** What a request is answered with, as JSON. */
export interface NatsAnswer {
  accepted: number;
  rejected: number;
  /** Where nothing was taken: why, and whether to send again. */
  error?: { code: string; message: string; retry: boolean };
}

/** Returns the way to stop. */
export function listenToNats(bus: Bus, sink: RecordSink): () => void {
  const stops = [listenForLogs(bus, sink), listenForStrays(bus, sink)];
  return () => {
    for (const stop of stops) stop();
  };
}

function listenForLogs(bus: Bus, sink: RecordSink): () => void {
  return bus.listen(
    `${subjects.incoming}>`,
    (data, subject, answer) => {
      sink.counts.bytes += data.length;
      const reason = sink.mustWait(subject);
      if (reason !== '') {
        sink.countWait(reason);
        sink.counts.dropped++;
        answer?.(encode({ accepted: 0, rejected: 0, error: refusal(full()) }));
        return;
      }
      const request = new SinkRequest();
      let result: ReturnType<typeof take>;
      try {
        result = take(data, subject.slice(subjects.incoming.length), sink, request);
      } catch (error) {
        // A bug of ours, which costs its sender alone.
        sink.counts.failures++;
        const failed = {
          code: 'RECORD_REJECTED',
          message: `It cannot be read: ${(error as Error).message}`,
          retry: false,
        };
        answer?.(encode({ accepted: 0, rejected: 0, error: failed }));
        return;
      }
      if (answer === undefined) return;
      request.ticket.done().then(
        () => answer(encode(result)),
        (error: LogweirError) => answer(encode({ accepted: 0, rejected: 0, error: refusal(error) })),
      );
    },
    queue,
  );
}

/**
 * Without a service the subject is one of the LOGS stream, which stores what nobody reads there: it is set aside, and
 * taken off the stream.
 */
function listenForStrays(bus: Bus, sink: RecordSink): () => void {
  const subject = subjects.incoming.slice(0, -1);
  let purgedMs = 0;
  const purge = async (): Promise<void> => {
    const { lastSequence } = await bus.streams.info(streams.logs);
    await bus.streams.purge(streams.logs, lastSequence + 1, subject);
  };
  return bus.listen(
    subject,
    (data, _subject, answer) => {
      sink.counts.bytes += data.length;
      sink.counts.malformed++;
      const detail = `${subject} names no service: publish to ${subject}.<service>`;
      const stray = { receiver: sink.receiver, source: subject, service: '', atMs: sink.time.now(), bytes: data };
      sink.dead.put({ ...stray, reason: 'stray', detail, resend: { path: '/ingest', contentType: '' } });
      answer?.(encode({ accepted: 0, rejected: 1, error: { code: 'REQUEST_INVALID', message: detail, retry: false } }));
      if (sink.time.now() - purgedMs < purgeEveryMs) return;
      purgedMs = sink.time.now();
      sink.time.after(purgeEveryMs, () => void purge().catch(() => {}));
    },
    queue,
  );
}

function take(data: Uint8Array, service: string, sink: RecordSink, request: SinkRequest): NatsAnswer {
  const source = `${subjects.incoming}${service}`;
  const query = `?service=${encodeURIComponent(service)}`;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const nowMs = sink.time.now();
  const result: NatsAnswer = { accepted: 0, rejected: 0 };
  const start = bytes.findIndex((byte) => byte > 0x20);
  if (bytes[start] === braceOpen) {
    const scanner = new NdjsonScanner(bytes, nowMs, service);
    for (let found = scanner.next(); found !== 'end'; found = scanner.next()) {
      if (found === 'record') {
        sink.addView(scanner.view, source, request);
        result.accepted++;
      } else {
        const resend = { path: `/ingest${query}`, contentType: 'application/x-ndjson' };
        const { reason, text } = scanner;
        sink.reject(reasonOf(reason) === 'too_long' ? 'tooLong' : 'malformed', reason, text, source, {
          service,
          resend,
        });
        result.rejected++;
      }
    }
    return result;
  }
  const parser = new LineParser({ observedMs: nowMs, service, ...sink.lineOptions(service) });
  const emit = (record: ParsedRecord): void => {
    if (sink.add(record, source, request)) result.accepted++;
    else result.rejected++;
  };
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(lineFeed, at);
    const end = found < 0 ? bytes.length : found;
    if (end - at > recordBytesMax) {
      const detail = `the line has ${end - at} bytes, ${recordBytesMax} are allowed`;
      const resend = { path: `/ingest${query}`, contentType: 'text/plain' };
      sink.reject('tooLong', detail, bytes.subarray(at, end), source, { service, resend });
      result.rejected++;
    } else parser.push(bytes.subarray(at, end), emit);
    at = end + 1;
  }
  parser.flush(emit);
  return result;
}

const full = (): LogweirError =>
  new LogweirError('NATS_UNAVAILABLE', 'The gateway holds as much as it may.', 'Send again shortly.');

const refusal = ({ code, message, retry }: LogweirError) => ({ code, message, retry });

const encode = (answer: NatsAnswer): Uint8Array => Buffer.from(JSON.stringify(answer));
