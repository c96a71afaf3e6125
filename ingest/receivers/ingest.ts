/** `POST /ingest`: NDJSON and plain text. Answers only when the stream has acknowledged every record. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { RecordView, recordBytesMax, unknownService, viewOf } from '#protocol/mod.ts';
import { type Add, incomingOf, takeIn } from '../intake.ts';
import { NdjsonScanner } from '../ndjson.ts';
import { checkLines } from '../otlp/limits.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';

/** Rejected lines named in an answer; beyond it they are only counted. */
const errorsNamedMax = 1_000;

type Reject = (line: number, reason: string, bytes: Uint8Array) => void;

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
  const service = serviceOf(request);
  const incoming = { ...incomingOf(request, 'ingest'), name: service ?? '' };
  const answer = await takeIn(context, incoming, (body, add, nowMs, bury) => {
    const answer: Answer = { accepted: 0, rejected: 0, errors: [] };
    const count: Add = (view, lines) => {
      add(view, lines);
      answer.accepted++;
    };
    count.lines = add.lines;
    checkLines(body);
    const ndjson = isNdjson(request, body);
    const resend = {
      path: service === undefined ? '/ingest' : `/ingest?service=${encodeURIComponent(service)}`,
      contentType: ndjson ? 'application/x-ndjson' : 'text/plain',
    };
    const rejected: Reject = (line, reason, bytes) => {
      reject(answer, line, reason);
      bury(reason, bytes, { service: service ?? '', resend });
    };
    if (ndjson) takeNdjson(body, nowMs, service, count, rejected);
    else takeText(body, nowMs, service, count, rejected);
    return answer;
  });
  return reply.code(answer.accepted === 0 && answer.rejected > 0 ? 400 : 200).send(answer);
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

function takeNdjson(body: Buffer, nowMs: number, service: string | undefined, add: Add, rejected: Reject): void {
  const scanner = new NdjsonScanner(body, nowMs, service ?? unknownService);
  for (;;) {
    const found = scanner.next();
    if (found === 'end') return;
    if (found === 'record') add(scanner.view);
    else rejected(scanner.line, scanner.reason, scanner.text);
  }
}

function takeText(body: Buffer, nowMs: number, service: string | undefined, add: Add, rejected: Reject): void {
  const parser = new LineParser({ observedMs: nowMs, service, ...add.lines?.(service ?? '') });
  const view = new RecordView();
  const fallback = { observedMs: nowMs, service: service ?? unknownService };
  const emit = (record: ParsedRecord): void => add(viewOf(record, fallback, view), record.raw);
  let line = 0;
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    line++;
    if (end - start > recordBytesMax)
      rejected(line, `the line has ${end - start} bytes, ${recordBytesMax} are allowed`, body.subarray(start, end));
    else parser.push(body.subarray(start, end), emit);
    start = end + 1;
  }
  parser.flush(emit);
}

function reject(answer: Answer, line: number, reason: string): void {
  answer.rejected++;
  if (answer.errors.length < errorsNamedMax) answer.errors.push({ line, reason });
}
