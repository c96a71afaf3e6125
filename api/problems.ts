/**
 * Errors as RFC 9457 problem documents. A code is stable; `remedy` says what to do next. Failures of the parts
 * behind the API keep the code of the one catalogue in protocol/errors.ts.
 */
import { LogweirError } from '#protocol/errors.ts';
import type { Problem } from './types.ts';

export const problemCodes = {
  QUERY_INVALID: { status: 400, title: 'A query parameter is wrong' },
  NOT_FOUND: { status: 404, title: 'There is nothing at this address' },
  ORIGIN_NOT_ALLOWED: { status: 403, title: 'A page of another origin may not change anything' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This address does not take that method' },
  HOST_NOT_ALLOWED: { status: 421, title: 'This server does not answer for that host name' },
  REQUEST_MALFORMED: { status: 400, title: 'The request could not be read' },
  LIVE_FULL: { status: 503, title: 'Too many live connections' },
  INTERNAL: { status: 500, title: 'The server failed to answer' },
} as const;

export type ProblemCode = keyof typeof problemCodes;

export const problemContentType = 'application/problem+json; charset=utf-8';
export const problemTypePrefix = 'urn:logweir:problem:';

/** An answer that is a problem: thrown by handlers, written by the server's one error handler. */
export class ApiProblem extends Error {
  readonly code: ProblemCode;
  readonly remedy: string;
  readonly errors: { parameter: string; detail: string }[] | undefined;

  constructor(code: ProblemCode, detail: string, remedy: string, errors?: { parameter: string; detail: string }[]) {
    super(detail);
    this.name = 'ApiProblem';
    this.code = code;
    this.remedy = remedy;
    this.errors = errors;
  }
}

/** `code` of what the queries throw where `after` is no position that they made. */
const cursorCode = 'CURSOR_INVALID';

export function invalidQuery(errors: { parameter: string; detail: string }[]): ApiProblem {
  const detail = errors.map((error) => `'${error.parameter}' ${error.detail}`).join('; ');
  return new ApiProblem(
    'QUERY_INVALID',
    `${detail}.`,
    'Correct the parameters; /api/v1/openapi.json describes them.',
    errors,
  );
}

function invalidCursor(): ApiProblem {
  return invalidQuery([{ parameter: 'after', detail: "must be the 'next' of the page before" }]);
}

/** HTTP status of a failure behind the API: 400 and 409 what was asked cannot be, 504 took too long, 503 worth a retry, 500 otherwise. */
function statusOf(error: LogweirError): number {
  if (error.code === 'REQUEST_INVALID') return 400;
  if (error.code === 'LIMIT_REACHED') return 409;
  if (error.code === 'TIMEOUT') return 504;
  return error.retry ? 503 : 500;
}

/** The problem document for anything thrown. What is not ours says nothing of its inside. */
export function problemOf(error: unknown, instance: string): Problem {
  if (error instanceof ApiProblem) {
    const { status, title } = problemCodes[error.code];
    const problem: Problem = {
      type: problemTypePrefix + error.code,
      title,
      status,
      detail: error.message,
      instance,
      code: error.code,
      remedy: error.remedy,
    };
    if (error.errors !== undefined) problem.errors = error.errors;
    return problem;
  }
  if ((error as { code?: unknown } | null)?.code === cursorCode) return problemOf(invalidCursor(), instance);
  if (error instanceof LogweirError) {
    const status = statusOf(error);
    return {
      type: problemTypePrefix + error.code,
      title: status < 500 ? 'What was asked cannot be done' : 'A part of the cluster failed to answer',
      status,
      detail: error.message,
      instance,
      code: error.code,
      remedy: error.remedy,
    };
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const { title } = problemCodes.REQUEST_MALFORMED;
    return {
      type: `${problemTypePrefix}REQUEST_MALFORMED`,
      title,
      status,
      detail: (error as Error).message,
      instance,
      code: 'REQUEST_MALFORMED',
      remedy: 'See /api/v1/openapi.json for what each address takes.',
    };
  }
  return {
    type: `${problemTypePrefix}INTERNAL`,
    title: problemCodes.INTERNAL.title,
    status: 500,
    detail: 'Something unexpected happened while answering this request.',
    instance,
    code: 'INTERNAL',
    remedy: "Try again; if it stays, the coordinator's log has the cause.",
  };
}
