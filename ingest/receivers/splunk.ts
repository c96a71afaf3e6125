/**
 * Splunk's HTTP Event Collector: `/services/collector`, its `/event`, `/raw`, `/health` and `/ack`. An answer comes after the
 * stream has the events, so an ack id that was given out is acknowledged whenever it is asked for, at any gateway.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LogweirError } from '#protocol/mod.ts';
import { incomingOf, takeIn } from '../intake.ts';
import { isObject, valueText } from '../mapping/json.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';
import { Tokens } from '../tokens.ts';
import { type EventsRead, hecCode, type Metadata, readEvents, readRaw } from '../splunk/events.ts';

type Query = Readonly<Record<string, unknown>>;
const acksAskedMax = 10_000;

export const splunkReceiver: Receiver = {
  name: 'splunk',
  register(app, context) {
    const tokens = new Tokens(context.tokens.splunk);
    let nextAck = 0;
    const handler =
      (read: typeof readEvents) =>
      async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
        if (!tokens.allow(tokenOf(request))) return deny(request, reply);
        const taken = await handle(request, context, read);
        if (taken === undefined) return reply.code(400).send({ text: 'No data', code: hecCode.noData });
        if (taken.rejected > 0) return reply.code(400).send(invalid(taken));
        const ack = channelOf(request) === '' ? {} : { ackId: nextAck++ };
        return reply.send({ text: 'Success', code: 0, ...ack });
      };
    const options = { config: { answerError: refuse } };
    for (const path of ['', '/event', '/event/1.0'])
      app.post(`/services/collector${path}`, options, handler(readEvents));
    for (const path of ['/raw', '/raw/1.0']) app.post(`/services/collector${path}`, options, handler(readRaw));
    app.post('/services/collector/ack', options, async (request, reply) =>
      tokens.allow(tokenOf(request)) ? answerAcks(request, reply) : deny(request, reply),
    );
    for (const path of ['/health', '/health/1.0'])
      app.get(`/services/collector${path}`, (_request, reply) =>
        context.publisher.full
          ? reply.code(503).send({ text: 'HEC is unhealthy, queues are full', code: 18 })
          : reply.send({ text: 'HEC is healthy', code: 17 }),
      );
  },
};

/** Undefined where there was nothing in the request. */
async function handle(
  request: FastifyRequest,
  context: ReceiverContext,
  read: typeof readEvents,
): Promise<EventsRead | undefined> {
  const query = request.query as Query;
  const metadata: Metadata = {
    host: valueText(query['host']),
    source: valueText(query['source']),
    sourcetype: valueText(query['sourcetype']),
    index: valueText(query['index']),
  };
  const incoming = {
    ...incomingOf(request, 'splunk'),
    resend: { path: pathWithoutToken(request), contentType: 'text/plain' },
    name: Object.values(metadata).join('\0'),
  };
  const result = await takeIn(context, incoming, (body, add, nowMs, bury) =>
    read(body, metadata, add, nowMs, (detail, bytes) =>
      bury(detail, bytes, { resend: { path: pathWithoutToken(request), contentType: 'text/plain' } }),
    ),
  );
  return result.taken === 0 && result.rejected === 0 ? undefined : result;
}

/** Tokens are not kept. */
function pathWithoutToken(request: FastifyRequest): string {
  const { pathname, searchParams } = new URL(request.url, 'http://gateway');
  searchParams.delete('token');
  const query = searchParams.toString();
  return query === '' ? pathname : `${pathname}?${query}`;
}

function invalid({ code, invalidEvent, reason, rejected, taken }: EventsRead): Record<string, unknown> {
  const texts: Readonly<Record<number, string>> = {
    [hecCode.invalidFormat]: 'Invalid data format',
    [hecCode.eventMissing]: 'Event field is required',
    [hecCode.eventBlank]: 'Event field cannot be blank',
  };
  return { text: texts[code], code, 'invalid-event-number': invalidEvent, reason, rejected, accepted: taken };
}

function answerAcks(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (channelOf(request) === '') return reply.code(400).send({ text: 'Data channel is missing', code: 10 });
  let asked: unknown;
  try {
    asked = JSON.parse(((request.body as Buffer | undefined) ?? Buffer.alloc(0)).toString('utf8'));
  } catch {
    asked = undefined;
  }
  const ids: unknown = isObject(asked) ? asked['acks'] : undefined;
  if (!Array.isArray(ids) || ids.length > acksAskedMax || !ids.every((id) => Number.isInteger(id)))
    return reply.code(400).send({ text: 'Invalid data format', code: hecCode.invalidFormat });
  return reply.send({ acks: Object.fromEntries((ids as number[]).map((id) => [String(id), true])) });
}

function channelOf(request: FastifyRequest): string {
  return valueText(request.headers['x-splunk-request-channel']) || valueText((request.query as Query)['channel']);
}

/** `Authorization: Splunk TOKEN`, Basic with the token as its password, or `?token=`. */
function tokenOf(request: FastifyRequest): string {
  const header = request.headers.authorization ?? '';
  const [scheme = '', value = ''] = header.split(/\s+/, 2);
  if (/^(?:splunk|bearer)$/i.test(scheme)) return value;
  if (/^basic$/i.test(scheme)) {
    const text = Buffer.from(value, 'base64').toString('utf8');
    return text.slice(text.indexOf(':') + 1);
  }
  return valueText((request.query as Query)['token']);
}

function deny(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return tokenOf(request) === ''
    ? reply.code(401).send({ text: 'Token is required', code: 2 })
    : reply.code(403).send({ text: 'Invalid token', code: 4 });
}

function refuse(_request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const status = httpStatusOf(error);
  // HEC knows one answer for all that should come later, and clients know that one.
  if (status === 503 || status === 429)
    return sayWhen(reply, error).code(503).send({ text: 'Server is busy', code: 9 });
  const { message } = error as Error;
  const reason = error instanceof LogweirError ? `${message} ${error.remedy}` : message;
  if (status === 413) return reply.code(413).send({ text: 'Request entity too large', code: 27, reason });
  return reply
    .code(status)
    .send(
      status >= 500
        ? { text: 'Internal server error', code: 8, reason }
        : { text: 'Invalid data format', code: 6, reason },
    );
}
