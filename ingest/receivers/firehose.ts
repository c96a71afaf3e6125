/** Amazon Data Firehose's HTTP endpoint, `POST /aws/firehose`: deliveries, answered in the JSON that Firehose insists on. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LogweirError } from '#protocol/mod.ts';
import { type Delivery, deliveryFacts, readDelivery, takeDelivery } from '../firehose/delivery.ts';
import { incomingOf, takeIn } from '../intake.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import type { AnswerError, Receiver, ReceiverContext } from '../receiver.ts';
import { Tokens } from '../tokens.ts';

const requestIdCharactersMax = 128;

export const firehoseReceiver: Receiver = {
  name: 'firehose',
  register(app, context) {
    const keys = new Tokens(context.tokens.firehose);
    const answerError: AnswerError = (request, reply, error) => refuse(request, reply, error, context);
    const options = { config: { answerError } };
    app.post('/aws/firehose', options, async (request, reply) => {
      if (!keys.allow(headerOf(request, 'x-amz-firehose-access-key')))
        return answer(request, reply.code(401), context, 'The access key is not one of gateway.firehoseKeys.');
      await handle(request, context);
      return answer(request, reply.code(200), context);
    });
  },
};

async function handle(request: FastifyRequest, context: ReceiverContext): Promise<void> {
  const facts = deliveryFacts(
    headerOf(request, 'x-amz-firehose-source-arn'),
    headerOf(request, 'x-amz-firehose-common-attributes'),
  );
  const incoming = incomingOf(request, 'firehose');
  const requestId = requestIdOf(request);
  let release = (): void => {};
  try {
    await takeIn(
      context,
      {
        ...incoming,
        // An attempt that is made again has the same id, and another time in its body.
        ...(requestId === '' ? {} : { idempotencyKey: requestId, keyAlone: true, name: 'firehose' }),
      },
      (body, add, nowMs, bury) => {
        const delivery: Delivery = readDelivery(body, context.limits.bodyBytesMax);
        // It may be read twice.
        release();
        // It may be read twice, where quotas are looked at first.
        release();
        release = context.hold(delivery.bytes, incoming.source);
        return takeDelivery(delivery, facts, add, nowMs, bury);
      },
    );
  } finally {
    release();
  }
}

function headerOf(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

/** Made of what an id of Firehose is made of; '' where it is not. */
function requestIdOf(request: FastifyRequest): string {
  const id = headerOf(request, 'x-amz-firehose-request-id');
  return id.length <= requestIdCharactersMax && /^[\w.:-]+$/.test(id) ? id : '';
}

/** An answer of another shape, or with another id, counts as a failure. */
function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  context: ReceiverContext,
  errorMessage?: string,
): FastifyReply {
  const requestId = headerOf(request, 'x-amz-firehose-request-id').slice(0, requestIdCharactersMax);
  const timestamp = context.clock();
  const text = JSON.stringify({ requestId, timestamp, ...(errorMessage === undefined ? {} : { errorMessage }) });
  // Bytes, as the media type must not say a charset.
  return reply.header('content-type', 'application/json').send(Buffer.from(text));
}

/** Firehose sends again whatever is not 200, and puts it into its backup bucket in the end. */
function refuse(request: FastifyRequest, reply: FastifyReply, error: unknown, context: ReceiverContext): FastifyReply {
  const status = httpStatusOf(error);
  sayWhen(reply, error);
  const { message } = error as Error;
  const text = error instanceof LogweirError ? `${message} ${error.remedy}` : message;
  return answer(request, reply.code(status), context, text.slice(0, 8_192));
}
