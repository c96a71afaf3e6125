/**
 * OTLP/HTTP, `POST /v1/logs`: protobuf or JSON, answered in kind; partialSuccess names what could not be taken.
 * Source: opentelemetry.io/docs/specs/otlp, "OTLP/HTTP".
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type DeadResend, LogweirError, RecordView } from '#protocol/mod.ts';
import type { Bury } from '../bury.ts';
import { type Add, incomingOf, takeIn } from '../intake.ts';
import { fillView } from '../mapping/record.ts';
import { encodeResponse, encodeStatus, partialMessage, reject, type Rejections, statusOf } from '../otlp/answer.ts';
import { jsonLogs } from '../otlp/json-logs.ts';
import { ProtobufLogs } from '../otlp/protobuf-logs.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';

const protobuf = 'application/x-protobuf';
const json = 'application/json';
/** Of a record that was not taken: in a request of its own. */
const resendProtobuf: DeadResend = { path: '/v1/logs', contentType: protobuf };
const resendJson: DeadResend = { path: '/v1/logs', contentType: json };

export const otlpHttpReceiver: Receiver = {
  name: 'otlpHttp',
  register(app, context) {
    // The second is where Loki serves it.
    for (const path of ['/v1/logs', '/otlp/v1/logs'])
      app.post(path, { config: { answerError: refuse } }, (request, reply) => handle(request, reply, context));
  },
};

async function handle(request: FastifyRequest, reply: FastifyReply, context: ReceiverContext): Promise<FastifyReply> {
  const isJson = speaksJson(request);
  if (!isJson && !mediaType(request).startsWith(protobuf) && mediaType(request) !== 'application/protobuf')
    throw new LogweirError(
      'ENCODING_UNSUPPORTED',
      `Content-Type ${mediaType(request).slice(0, 100) || '(none)'} is no encoding of OTLP.`,
      `Send ${protobuf} or ${json}.`,
    );
  const rejections = await takeIn(context, incomingOf(request, 'otlpHttp'), isJson ? readJson : readProtobuf);
  if (!isJson) return reply.code(200).type(protobuf).send(encodeResponse(rejections));
  const { rejected } = rejections;
  const partialSuccess = { rejectedLogRecords: String(rejected), errorMessage: partialMessage(rejections) };
  return sendJson(reply.code(200), rejected === 0 ? {} : { partialSuccess });
}

export function readProtobuf(body: Buffer, add: Add, nowMs: number, bury: Bury): Rejections {
  const rejections: Rejections = { rejected: 0, reasons: [] };
  const logs = new ProtobufLogs(body, nowMs);
  for (let found = logs.next(); found !== 'end'; found = logs.next()) {
    if (found === 'record') add(logs.view);
    else {
      reject(rejections, logs.index, logs.reason);
      const { alone } = logs;
      bury(logs.reason, alone ?? logs.recordBytes, { resend: alone === null ? undefined : resendProtobuf });
    }
  }
  return rejections;
}

function readJson(body: Buffer, add: Add, nowMs: number, bury: Bury): Rejections {
  const rejections: Rejections = { rejected: 0, reasons: [] };
  const view = new RecordView();
  for (const [index, log] of jsonLogs(body, nowMs).entries()) {
    const reason = 'reject' in log ? log.reject : fillView(log.record, nowMs, view);
    if ('reject' in log || reason !== '') {
      reject(rejections, index, reason);
      const alone = log.alone();
      bury(reason, alone ?? log.raw, { resend: alone === null ? undefined : resendJson });
      continue;
    }
    view.observedMs = log.observedMs;
    add(view);
  }
  return rejections;
}

/** google.rpc.Status in the encoding of the request. */
function refuse(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const httpStatus = httpStatusOf(error);
  const status = statusOf(error);
  sayWhen(reply, error).code(httpStatus);
  if (speaksJson(request)) return sendJson(reply, status);
  return reply.type(protobuf).send(encodeStatus(status));
}

/** Collectors compare the media type as a whole, which must not say a charset then. */
const sendJson = (reply: FastifyReply, value: unknown): FastifyReply =>
  reply.header('content-type', json).send(Buffer.from(JSON.stringify(value)));
const mediaType = (request: FastifyRequest): string => (request.headers['content-type'] ?? '').toLowerCase();
const speaksJson = (request: FastifyRequest): boolean => mediaType(request).startsWith(json);
