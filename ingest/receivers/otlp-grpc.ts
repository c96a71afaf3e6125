/**
 * OTLP/gRPC: LogsService/Export over HTTP/2, unary. Not on a gRPC library: those buffer what any number of calls send
 * before they hand over the first byte, and a gateway counts what it holds as it comes.
 * Source: github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, opentelemetry.io/docs/specs/otlp "OTLP/gRPC".
 */
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { LogweirError } from '#protocol/mod.ts';
import { takeIn } from '../intake.ts';
import { encodeResponse, encodeStatus, grpcCode, type Status, statusOf } from '../otlp/answer.ts';
import { retryAfterOf } from '../problem.ts';
import type { ReceiverContext, ReceiverServer } from '../receiver.ts';
import { tooLarge } from '../too-large.ts';
import { readProtobuf } from './otlp-http.ts';

const exportPath = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const streamsPerConnectionMax = 100;
/** A call whose request has not come whole by then is ended. */
const callTimeoutMs = 120_000;
const closeMs = 2_000;
const prefixBytes = 5;

export const otlpGrpcServer: ReceiverServer = {
  name: 'otlpGrpc',
  open(context) {
    const sessions = new Set<ServerHttp2Session>();
    const server = createServer({
      settings: { maxConcurrentStreams: streamsPerConnectionMax },
      // Reset floods (CVE-2023-44487) are ended by Node; headers beyond this are no gRPC.
      maxHeaderListPairs: 64,
    });
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
      session.on('error', () => {});
    });
    server.on('stream', (stream, headers) => void serve(stream, headers, context));
    const stop = async (): Promise<void> => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, closeMs);
      await closed;
      clearTimeout(timer);
    };
    return { server, stop, protocol: 'h2' };
  },
};

async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: ReceiverContext): Promise<void> {
  stream.on('error', () => {});
  const type = headers['content-type'] ?? '';
  if (headers[':method'] !== 'POST' || !type.startsWith('application/grpc')) {
    stream.respond({ ':status': 415 }, { endStream: true });
    stream.close();
    return;
  }
  const source = addressOf(stream);
  const release: (() => void)[] = [];
  stream.once('close', () => {
    for (const one of release.splice(0)) one();
  });
  try {
    if (headers[':path'] !== exportPath)
      return end(stream, {
        code: grpcCode.unimplemented,
        message: `${String(headers[':path']).slice(0, 200)} is not served. Logs go to ${exportPath}.`,
      });
    const message = await receive(stream, context, source, release);
    const compressed = message[0] === 1;
    const encoding = headers['grpc-encoding'];
    const packing = compressed ? (typeof encoding === 'string' ? encoding : 'gzip') : undefined;
    const rejections = await takeIn(
      context,
      {
        receiver: 'otlpGrpc',
        source,
        raw: message.subarray(prefixBytes),
        encoding: packing,
        idempotencyKey: headers['idempotency-key'],
        resend: {
          path: '/v1/logs',
          contentType: 'application/x-protobuf',
          ...(packing === undefined ? {} : { encoding: packing }),
        },
      },
      readProtobuf,
    );
    answer(stream, encodeResponse(rejections));
  } catch (error) {
    end(stream, statusOf(error), retryAfterOf(error));
  }
}

/** '' where the connection is gone already. */
function addressOf(stream: ServerHttp2Stream): string {
  try {
    return stream.session?.socket?.remoteAddress ?? '';
  } catch {
    return '';
  }
}

/** The one message of the call, prefix included. Every byte is held for as soon as it is here. */
function receive(
  stream: ServerHttp2Stream,
  context: ReceiverContext,
  source: string,
  release: (() => void)[],
): Promise<Buffer> {
  const bytesMax = context.limits.bodyBytesMax;
  return new Promise((resolve, reject) => {
    try {
      context.admission.check(source, 0);
    } catch (error) {
      context.counts.unavailable++;
      reject(error);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    stream.setTimeout(callTimeoutMs, () => stream.close());
    const timer = setTimeout(() => stream.close(), callTimeoutMs);
    stream.once('close', () => {
      clearTimeout(timer);
      reject(new LogweirError('REQUEST_INVALID', 'The call ended before its message.', 'Send it again.'));
    });
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax + prefixBytes) return fail(tooLarge(bytesMax));
      try {
        release.push(context.hold(chunk.length, source));
      } catch (error) {
        context.counts.unavailable++;
        return fail(error as Error);
      }
      chunks.push(chunk);
    });
    stream.once('end', () => {
      clearTimeout(timer);
      const message = Buffer.concat(chunks);
      if (message.length >= prefixBytes && message.readUInt32BE(1) === message.length - prefixBytes && size > 0)
        resolve(message);
      else
        reject(
          new LogweirError(
            'REQUEST_INVALID',
            'The call does not hold exactly one message of the length that it says.',
            'Send one ExportLogsServiceRequest in each call.',
          ),
        );
    });
    const fail = (error: Error): void => {
      stream.removeAllListeners('data');
      stream.resume();
      clearTimeout(timer);
      reject(error);
    };
  });
}

const responseHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,gzip,zstd,snappy',
};

function answer(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(responseHeaders, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
}

/** A call that failed: one header block, and the rest of the request is not waited for. */
function end(stream: ServerHttp2Stream, status: Status, retryAfterSeconds?: number): void {
  if (stream.destroyed || stream.closed) return;
  // Without RetryInfo, clients do not try again what was refused as too much.
  const retryAfterMs = retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1_000;
  stream.respond(
    {
      ...responseHeaders,
      'grpc-status': String(status.code),
      'grpc-message': percentEncoded(status.message),
      'grpc-status-details-bin': encodeStatus(status, retryAfterMs).toString('base64').replace(/=+$/, ''),
    },
    { endStream: true },
  );
  if (!stream.readableEnded) stream.close();
}

/** As gRPC wants its messages: what is not printable ASCII, and %, in %XX. */
function percentEncoded(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text))
    out +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}
