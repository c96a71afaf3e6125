/** Training and roll-back of models over HTTP. Like corrections, they take effect through the leader. */
import type { FastifyInstance } from 'fastify';
import { fieldsOf, refuseOtherOrigins } from './changes.ts';
import type { ApiDeps } from './ports.ts';
import { ApiProblem } from './problems.ts';

const bodyBytesMax = 1024;

/** What the OpenAPI document says of requests. */
export const trainSchema = {
  type: 'object',
  properties: { force: { type: 'boolean', description: 'Publish the model even if it is not better. Default false.' } },
  additionalProperties: false,
};
export const rollBackSchema = {
  type: 'object',
  properties: {
    version: {
      type: 'integer',
      minimum: 0,
      description: 'Model that is to serve, 0 the built-in. Default: the one before.',
    },
  },
  additionalProperties: false,
};

export function serveModelChanges(app: FastifyInstance, { models }: ApiDeps): void {
  app.post('/api/v1/model/train', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    refuseOtherOrigins(request);
    const { force = false } = fieldsOf(request.body ?? {}, { force: 'boolean' });
    await models.train(force === true);
    return reply.code(202).header('cache-control', 'no-store').send({ asked: true });
  });
  app.post('/api/v1/model/rollback', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    refuseOtherOrigins(request);
    const { version } = fieldsOf(request.body ?? {}, { version: 'number' });
    if (version !== undefined && (!Number.isInteger(version) || version < 0))
      throw new ApiProblem('REQUEST_MALFORMED', "'version' is no version.", 'Versions are listed at /api/v1/model.');
    const serving = await models.rollBack(version);
    return reply.header('cache-control', 'no-store').send({ serving });
  });
}
