/** `POST /ingest`: NDJSON and plain text. Answers only when the stream has acknowledged every record. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { LogweirError, RecordView, recordBytesMax, unknownService, viewOf } from '#protocol/mod.ts';
import { Ticket } from '../batch-publisher.ts';
import { decompress } from '../decompress.ts';
import { idempotencyName } from '../idempotency.ts';
import { NdjsonScanner } from '../ndjson.ts';
import { sendProblem } from '../problem.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';

/** Rejected lines named in an answer; beyond it they are only counted. */
const errorsNamedMax = 1_000;

interface Answer {
  accepted: number;
  rejected: number;
  errors: { line: number; reason: string }[];
}

export const ingestReceiver: Receiver = {
  name: 'ingest',
  register(app, context) {
    app.post('/ingest', (request, reply) => handle(request, reply, context));
  },
};

async function handle(request: FastifyRequest, reply: FastifyReply, context: ReceiverContext): Promise<FastifyReply> {
  const { publisher, counts, clock, limits } = context;
  counts.requests++;
  let release = (): void => {};
  try {
    if (publisher.full)
      throw new LogweirError(
        'NATS_UNAVAILABLE',
        'The gateway holds as many unacknowledged records as it may.',
        'Send again shortly.',
      );
    const raw = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
    const body = await decompress(raw, request.headers['content-encoding'], limits.bodyBytesMax);
    release = context.hold(Math.max(body.length - raw.length, 0));
    counts.bytes += body.length;
    const nowMs = clock();
    const ticket = new Ticket();
    const answer: Answer = { accepted: 0, rejected: 0, errors: [] };
    const service = serviceOf(request);
    const key = idempotencyName(request.headers['idempotency-key'], service ?? '', body);
    const add = (view: RecordView): void => {
      view.idempotencyKey = key;
      view.ordinal = answer.accepted;
      publisher.add(view, ticket, nowMs);
      answer.accepted++;
    };
    if (isNdjson(request, body)) takeNdjson(body, nowMs, service, add, answer);
    else takeText(body, nowMs, service, add, answer);
    await ticket.done();
    counts.records += answer.accepted;
    counts.rejected += answer.rejected;
    const status = answer.accepted === 0 && answer.rejected > 0 ? 400 : 200;
    return reply.code(status).send(answer);
  } catch (error) {
    if (error instanceof LogweirError && error.retry) counts.unavailable++;
    return sendProblem(reply, error);
  } finally {
    release();
  }
}

function serviceOf(request: FastifyRequest): string | undefined {
  const query = request.query as { service?: unknown };
  const header = request.headers['x-logweir-service'];
  const service = typeof query.service === 'string' ? query.service : typeof header === 'string' ? header : '';
  return service === '' ? undefined : service;
}

/** By Content-Type where it tells; else by the first character. */
function isNdjson(request: FastifyRequest, body: Buffer): boolean {
  const type = request.headers['content-type'] ?? '';
  if (type.includes('json')) return true;
  if (type.startsWith('text/plain')) return false;
  let at = 0;
  while (at < body.length && (body[at] as number) <= 0x20) at++;
  return body[at] === 0x7b;
}

function takeNdjson(
  body: Buffer,
  nowMs: number,
  service: string | undefined,
  add: (view: RecordView) => void,
  answer: Answer,
): void {
  const scanner = new NdjsonScanner(body, nowMs, service ?? unknownService);
  for (;;) {
    const found = scanner.next();
    if (found === 'end') return;
    if (found === 'record') add(scanner.view);
    else reject(answer, scanner.line, scanner.reason);
  }
}

function takeText(
  body: Buffer,
  nowMs: number,
  service: string | undefined,
  add: (view: RecordView) => void,
  answer: Answer,
): void {
  const parser = new LineParser({ observedMs: nowMs, ...(service === undefined ? {} : { service }) });
  const view = new RecordView();
  const fallback = { observedMs: nowMs, service: service ?? unknownService };
  const emit = (record: ParsedRecord): void => add(viewOf(record, fallback, view));
  let line = 0;
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    line++;
    if (end - start > recordBytesMax)
      reject(answer, line, `the line has ${end - start} bytes, ${recordBytesMax} are allowed`);
    else parser.push(body.subarray(start, end), emit);
    start = end + 1;
  }
  parser.flush(emit);
}

function reject(answer: Answer, line: number, reason: string): void {
  answer.rejected++;
  if (answer.errors.length < errorsNamedMax) answer.errors.push({ line, reason });
}
