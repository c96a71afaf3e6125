/**
 * Logs that applications publish to NATS, `logs.in.<service>`: NDJSON, or lines of text. Of all gateways one takes each message. A
 * request is answered once the stream has its records; what is only published is dropped, and counted, when the
 * gateway holds as much as it may.
 */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import type { Bus } from '#bus/mod.ts';
import { LogweirError, recordBytesMax, subjects } from '#protocol/mod.ts';
import { NdjsonScanner } from '../ndjson.ts';
import { type RecordSink, SinkRequest } from '../record-sink.ts';

const queue = 'logweir-gateway';
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
  return bus.listen(
    `${subjects.incoming}>`,
    (data, subject, answer) => {
      sink.counts.bytes += data.length;
      if (sink.full) {
        sink.counts.dropped++;
        answer?.(encode({ accepted: 0, rejected: 0, error: refusal(full()) }));
        return;
      }
      const request = new SinkRequest();
      const result = take(data, subject.slice(subjects.incoming.length), sink, request);
      if (answer === undefined) return;
      request.ticket.done().then(
        () => answer(encode(result)),
        (error: LogweirError) => answer(encode({ accepted: 0, rejected: 0, error: refusal(error) })),
      );
    },
    queue,
  );
}

function take(data: Uint8Array, service: string, sink: RecordSink, request: SinkRequest): NatsAnswer {
  const { counts } = sink;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const nowMs = sink.time.now();
  const result: NatsAnswer = { accepted: 0, rejected: 0 };
  const start = bytes.findIndex((byte) => byte > 0x20);
  if (bytes[start] === braceOpen) {
    const scanner = new NdjsonScanner(bytes, nowMs, service);
    for (let found = scanner.next(); found !== 'end'; found = scanner.next()) {
      if (found === 'record') {
        sink.addView(scanner.view, request);
        result.accepted++;
      } else {
        counts.malformed++;
        result.rejected++;
      }
    }
    return result;
  }
  const parser = new LineParser({ observedMs: nowMs, service });
  const emit = (record: ParsedRecord): void => {
    if (sink.add(record, request)) result.accepted++;
    else result.rejected++;
  };
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(lineFeed, at);
    const end = found < 0 ? bytes.length : found;
    if (end - at > recordBytesMax) {
      counts.tooLong++;
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
