/**
 * Datadog's log intake, `/api/v2/logs` and the older `/v1/input`: what its agent and its clients send to. Answers as
 * Datadog's, after the stream has the logs.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LogweirError } from '#protocol/mod.ts';
import { type LogsRead, readJsonLogs, readTextLogs, type Reserved } from '../datadog/logs.ts';
import { incomingOf, takeIn } from '../intake.ts';
import { valueText } from '../mapping/json.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';
import { Tokens } from '../tokens.ts';

type Query = Readonly<Record<string, unknown>>;
type Params = { key?: string };
const keyNames = ['dd-api-key', 'api_key'] as const;

export const datadogReceiver: Receiver = {
  name: 'datadog',
  register(app, context) {
    const keys = new Tokens(context.tokens.datadog);
    const options = { config: { answerError: refuse } };
    const route = (url: string, status: number): void => {
      app.post<{ Params: Params }>(url, options, async (request, reply) => {
        if (!keys.allow(keyOf(request))) return deny(reply);
        const read = await handle(request, context);
        if (read.rejected > 0 && read.taken === 0) return reply.code(400).send(errors(400, reasonFor(read)));
        return reply.code(status).send({});
      });
    };
    route('/api/v2/logs', 202);
    // The first version answers 200.
    route('/v1/input', 200);
    route('/v1/input/:key', 200);
    app.get('/api/v1/validate', options, (request, reply) =>
      keys.allow(keyOf(request)) ? reply.send({ valid: true }) : deny(reply),
    );
  },
};

async function handle(request: FastifyRequest<{ Params: Params }>, context: ReceiverContext): Promise<LogsRead> {
  const query = request.query as Query;
  const reserved: Reserved = {
    service: valueText(query['service']),
    hostname: valueText(query['hostname']) || valueText(query['host']),
    ddsource: valueText(query['ddsource']),
    ddtags: valueText(query['ddtags']),
  };
  const incoming = incomingOf(request, 'datadog');
  const resend = { path: pathWithoutKey(request), contentType: incoming.resend?.contentType ?? '' };
  const whole = { ...resend, ...(incoming.encoding === undefined ? {} : { encoding: incoming.encoding }) };
  const isText = !(request.headers['content-type'] ?? '').includes('json');
  return takeIn(
    context,
    { ...incoming, resend: whole, name: Object.values(reserved).join('\0') },
    (body, add, nowMs, bury) => {
      const read = isText && !startsJson(body) ? readTextLogs : readJsonLogs;
      return read(body, reserved, add, nowMs, (detail, bytes, more) => bury(detail, bytes, { ...more, resend }));
    },
  );
}

function startsJson(body: Buffer): boolean {
  let at = 0;
  while (at < body.length && (body[at] as number) <= 0x20) at++;
  return body[at] === 0x7b || body[at] === 0x5b;
}

function keyOf(request: FastifyRequest): string {
  const query = request.query as Query;
  const header = request.headers['dd-api-key'];
  return (
    (typeof header === 'string' ? header : '') ||
    ((request.params as Params).key ?? '') ||
    valueText(query['dd-api-key']) ||
    valueText(query['api_key'])
  );
}

/** Keys are not kept. */
function pathWithoutKey(request: FastifyRequest): string {
  const { pathname, searchParams } = new URL(request.url, 'http://gateway');
  for (const name of keyNames) searchParams.delete(name);
  const path = pathname.startsWith('/v1/') ? '/v1/input' : pathname;
  const query = searchParams.toString();
  return query === '' ? path : `${path}?${query}`;
}

const reasonFor = ({ index, reason }: LogsRead): string => `Log ${index} was not taken: ${reason}.`;
const titles: Readonly<Record<number, string>> = { 400: 'Bad Request', 403: 'Forbidden', 413: 'Payload too large' };
const errors = (status: number, detail: string): object => ({
  errors: [{ status: String(status), title: titles[status] ?? 'Error', detail }],
});
const deny = (reply: FastifyReply): FastifyReply =>
  reply.code(403).send(errors(403, 'The API key is not one of gateway.datadogKeys.'));

/** Agents drop what is answered 400, 403 or 413, and send again what is answered 429 or 5xx. */
function refuse(_request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const status = httpStatusOf(error);
  sayWhen(reply, error);
  const { message } = error as Error;
  return reply
    .code(status)
    .send(errors(status, error instanceof LogweirError ? `${message} ${error.remedy}` : message));
}
