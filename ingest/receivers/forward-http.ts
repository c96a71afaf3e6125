/**
 * Fluent events over HTTP, `POST /fluent?tag=TAG`: pairs of time and record in MessagePack, one behind the other, as Fluent
 * Bit's `http` output sends them with `Format msgpack`, and as dead letters of the forward port are sent again.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LogweirError, RecordView } from '#protocol/mod.ts';
import { eventsPath, eventsType, readEvent, resendEvents } from '../forward/events.ts';
import { incomingOf, takeIn } from '../intake.ts';
import { valueText } from '../mapping/json.ts';
import { fillView } from '../mapping/record.ts';
import { MsgpackError, MsgpackReader } from '../msgpack.ts';
import { recordsMax, tooManyRecords } from '../otlp/limits.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';

const tagCharactersMax = 1_024;
const eventsNamedMax = 1_000;

export const forwardHttpReceiver: Receiver = {
  name: 'forward',
  register(app, context) {
    app.post(eventsPath, (request, reply) => handle(request, reply, context));
  },
};

interface Answer {
  accepted: number;
  rejected: number;
  errors: { event: number; reason: string }[];
}

async function handle(request: FastifyRequest, reply: FastifyReply, context: ReceiverContext): Promise<FastifyReply> {
  if (!(request.headers['content-type'] ?? '').startsWith(eventsType))
    throw new LogweirError('ENCODING_UNSUPPORTED', `Content-Type must be ${eventsType}.`, 'JSON goes to /ingest.');
  const header = request.headers['fluent-tag'];
  const tag = valueText((request.query as { tag?: unknown }).tag) || (typeof header === 'string' ? header : '');
  const short = tag.slice(0, tagCharactersMax);
  const incoming = { ...incomingOf(request, 'forward'), name: short, resend: resendEvents(short) };
  const answer = await takeIn(context, incoming, (body, add, nowMs, bury) => {
    const answer: Answer = { accepted: 0, rejected: 0, errors: [] };
    const view = new RecordView();
    for (const { start, end } of eventsOf(body)) {
      const reason = takeEvent(body, start, short, nowMs, view);
      if (reason === '') {
        add(view);
        answer.accepted++;
        continue;
      }
      const event = answer.accepted + answer.rejected++;
      if (answer.errors.length < eventsNamedMax) answer.errors.push({ event, reason });
      bury(reason, body.subarray(start, end), { resend: resendEvents(short) });
    }
    return answer;
  });
  return reply.code(answer.accepted === 0 && answer.rejected > 0 ? 400 : 200).send(answer);
}

/** Why an event is not taken, '' where `view` holds it. */
function takeEvent(body: Buffer, start: number, tag: string, nowMs: number, view: RecordView): string {
  try {
    const reader = new MsgpackReader(body, start);
    reader.array();
    const read = readEvent(reader, tag, nowMs);
    return 'reject' in read ? read.reject : fillView(read.record, nowMs, view);
  } catch (error) {
    if (error instanceof MsgpackError) return `malformed: ${error.message}`;
    throw error;
  }
}

/** Where events lie: what is malformed here rejects the body before anything was taken. @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
function eventsOf(body: Buffer): { start: number; end: number }[] {
  const events: { start: number; end: number }[] = [];
  const reader = new MsgpackReader(body);
  try {
    while (!reader.atEnd) {
      if (events.length >= recordsMax) throw tooManyRecords();
      const start = reader.at;
      if (reader.array() !== 2) throw new MsgpackError('an event is a time and a record');
      reader.skip();
      reader.skip();
      events.push({ start, end: reader.at });
    }
    return events;
  } catch (cause) {
    if (!(cause instanceof MsgpackError)) throw cause;
    throw new LogweirError(
      'REQUEST_INVALID',
      `The body is no row of events: ${cause.message}.`,
      'Nothing of it was taken.',
      { cause },
    );
  }
}
