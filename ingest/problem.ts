/** Errors of the gateway's HTTP receivers as RFC 9457 problem documents. */
import type { FastifyReply } from 'fastify';
import { type ErrorCode, LogweirError } from '#protocol/mod.ts';
import { Refusal } from './admission/mod.ts';

const statusOf: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  BODY_TOO_LARGE: 413,
  ENCODING_UNSUPPORTED: 415,
  RECORD_REJECTED: 400,
  NATS_UNAVAILABLE: 503,
  STREAM_FULL: 503,
  SHARE_EXCEEDED: 429,
  QUOTA_EXCEEDED: 429,
};
export const retryAfterSeconds = 1;

/** For `Retry-After`, whole seconds; undefined for what need not be sent again. */
export function retryAfterOf(error: unknown): number | undefined {
  if (error instanceof Refusal) return Math.max(1, Math.ceil(error.retryAfterMs / 1_000));
  const status = httpStatusOf(error);
  return status === 503 || status === 429 ? retryAfterSeconds : undefined;
}

export function sayWhen(reply: FastifyReply, error: unknown): FastifyReply {
  const seconds = retryAfterOf(error);
  return seconds === undefined ? reply : reply.header('retry-after', String(seconds));
}

export function httpStatusOf(error: unknown): number {
  if (error instanceof LogweirError) return statusOf[error.code] ?? 500;
  return (error as { statusCode?: number }).statusCode ?? 500;
}

export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const known =
    error instanceof LogweirError
      ? error
      : new LogweirError(
          'RECORD_REJECTED',
          `The request failed: ${(error as Error).message}`,
          'Check the request and send it again.',
        );
  const status = httpStatusOf(error);
  return sayWhen(reply, error).code(status).header('content-type', 'application/problem+json').send({
    type: 'about:blank',
    title: known.message,
    status,
    code: known.code,
    remedy: known.remedy,
  });
}
