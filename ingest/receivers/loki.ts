/**
 * Loki's push, `POST /loki/api/v1/push`: snappy protobuf or JSON. As with Loki, 204 says that all was taken, and 400 names
 * what was not, while the rest was. Source: grafana.com/docs/loki/latest/reference/loki-http-api.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { incomingOf, takeIn } from '../intake.ts';
import { readPushJson, readPushProtobuf, resendAs } from '../loki/push.ts';
import { partialMessage } from '../otlp/answer.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import { LogweirError } from '#protocol/mod.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';
import { unsnap } from '../snappy.ts';

export const lokiReceiver: Receiver = {
  name: 'loki',
  register(app, context) {
    const options = { config: { answerError: refuse } };
    app.post('/loki/api/v1/push', options, (request, reply) => handle(request, reply, context));
    app.post('/api/prom/push', options, (request, reply) => handle(request, reply, context));
    // What clients and data sources ask before they push.
    app.get('/ready', async (_request, reply) => reply.type('text/plain').send('ready\n'));
    app.get('/loki/api/v1/labels', async () => ({ status: 'success', data: [] }));
    app.get('/loki/api/v1/status/buildinfo', async () => ({ version: '3.0.0', revision: '', branch: '' }));
  },
};

async function handle(request: FastifyRequest, reply: FastifyReply, context: ReceiverContext): Promise<FastifyReply> {
  const { headers } = request;
  const org = headers['x-scope-orgid'];
  const tenant = typeof org === 'string' ? org.slice(0, 200) : '';
  const isJson = (headers['content-type'] ?? '').toLowerCase().startsWith('application/json');
  const encoding = (headers['content-encoding'] ?? '').toLowerCase();
  const incoming = incomingOf(request, 'loki');
  const taken = {
    ...incoming,
    name: tenant,
    resend: { ...incoming.resend, ...resendAs(headers['content-type'] ?? '', tenant) },
    // The protobuf body is snappy whatever the header says, unless it names another.
    ...((isJson && encoding !== 'snappy') || encoding === 'gzip' || (request.body as Buffer | undefined)?.length === 0
      ? {}
      : { unpack: unsnap }),
  };
  const read = isJson ? readPushJson : readPushProtobuf;
  const rejections = await takeIn(context, taken, (body, add, nowMs, bury) =>
    body.length === 0 ? { rejected: 0, reasons: [] } : read(body, tenant, add, nowMs, bury),
  );
  if (rejections.rejected === 0) return reply.code(204).send();
  return reply
    .code(400)
    .type('text/plain')
    .send(`${rejections.rejected} entries were not taken, the others were: ${partialMessage(rejections)}\n`);
}

/** Loki's errors are a line of text; clients go by the status: 429 and 5xx are sent again. */
function refuse(_request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const status = httpStatusOf(error);
  const { message } = error as Error;
  return sayWhen(reply, error)
    .code(status)
    .type('text/plain')
    .send(`${message}${error instanceof LogweirError ? ` ${error.remedy}` : ''}\n`);
}
