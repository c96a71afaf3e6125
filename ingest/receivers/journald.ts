/**
 * What systemd-journal-upload sends to: `POST /upload`, as systemd-journal-remote serves it. On its own port an upload may
 * last as long as it likes; on the others a request must come whole within two minutes.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { deadRetryHeader, LogweirError } from '#protocol/mod.ts';
import { decompress } from '../files/mod.ts';
import { takeUpload, uploadPath, uploadType } from '../journald/upload.ts';
import { httpStatusOf, retryAfterOf, retryAfterSeconds } from '../problem.ts';
import type { Receiver, ReceiverContext, ReceiverServer } from '../receiver.ts';

const uploadsMax = 1_024;
const headersTimeoutMs = 30_000;
const closeMs = 2_000;

export const journaldReceiver: Receiver = {
  name: 'journald',
  register(app, context) {
    // Answered before the body would be read into memory, as it is on other routes.
    const preParsing = async (request: FastifyRequest, reply: FastifyReply, body: Readable): Promise<FastifyReply> => {
      const { status, text, retryAfter } = await answerUpload(context, request.headers, body, request.ip);
      if (retryAfter) reply.header('retry-after', String(retryAfterSeconds));
      // Who is refused may still be sending.
      if (status !== 202) reply.header('connection', 'close');
      return reply.code(status).type('text/plain').send(text);
    };
    app.post(uploadPath, { config: { streams: true }, preParsing }, (_request, reply) => reply.send());
  },
};

export const journaldServer: ReceiverServer = {
  name: 'journald',
  open(context) {
    const server = createServer({ requestTimeout: 0, headersTimeout: headersTimeoutMs }, (request, response) => {
      const respond = ({ status, text, retryAfter }: Answer): void => {
        response.writeHead(status, {
          'content-type': 'text/plain',
          ...(retryAfter ? { 'retry-after': String(retryAfterSeconds) } : {}),
          ...(status === 202 ? {} : { connection: 'close' }),
        });
        response.end(text, () => {
          if (status !== 202) request.destroy();
        });
      };
      request.on('error', () => {});
      if (request.url !== uploadPath) respond({ status: 404, text: `Nothing is served here but ${uploadPath}.\n` });
      else if (request.method !== 'POST') respond({ status: 406, text: 'Uploads are sent by POST.\n' });
      else void answerUpload(context, request.headers, request, addressOf(request)).then(respond);
    });
    // Not `maxConnections`, which knows nothing of what other sockets of the port accept.
    let open = 0;
    server.on('connection', (socket: Socket) => {
      if (++open > uploadsMax) socket.destroy();
      socket.once('close', () => open--);
    });
    const stop = async (): Promise<void> => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => server.closeAllConnections(), closeMs);
      await closed;
      clearTimeout(timer);
    };
    return { server, stop };
  },
};

interface Answer {
  status: number;
  text: string;
  retryAfter?: boolean;
}

/** Anything over 299 makes systemd-journal-upload end and start again from its last good upload. */
async function answerUpload(
  context: ReceiverContext,
  headers: IncomingHttpHeaders,
  body: Readable,
  source: string,
): Promise<Answer> {
  if ((headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() !== uploadType)
    return { status: 415, text: `Content-Type: ${uploadType} is required.\n` };
  try {
    const chunks = unpacked(body, headers['content-encoding']);
    const isAgain = headers[deadRetryHeader] !== undefined;
    const key = headers['idempotency-key'];
    const again = isAgain ? (typeof key === 'string' ? key : '') : undefined;
    const { restBytes, rejected, reason } = await takeUpload(context, body, chunks, source, again);
    if (isAgain && rejected > 0) return { status: 400, text: `${reason}\n` };
    if (restBytes > 0)
      return { status: 417, text: `The upload ended within an entry: ${restBytes} bytes were not taken.\n` };
    return { status: 202, text: 'OK.\n' };
  } catch (error) {
    const status = httpStatusOf(error);
    const remedy = error instanceof LogweirError ? ` ${error.remedy}` : '';
    return { status, text: `${(error as Error).message}${remedy}\n`, retryAfter: retryAfterOf(error) !== undefined };
  }
}

/** @throws LogweirError ENCODING_UNSUPPORTED */
function unpacked(body: Readable, encoding = 'identity'): AsyncIterable<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  if (name === 'gzip' || name === 'zstd') return decompress(name, body);
  throw new LogweirError(
    'ENCODING_UNSUPPORTED',
    `Content-Encoding ${name.slice(0, 40)} is not supported.`,
    'Set Compression=zstd in journal-upload.conf, or none.',
  );
}

const addressOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? '';
