/** Alerts and the cluster itself. */
import { afterParam, integer, oneOf, rangeOf, rangeParams, text } from '../params.ts';
import type { AlertPage, ClusterStatus, ModelStatus } from '../types.ts';
import { endpoint } from './endpoint.ts';

export const alerts = endpoint({
  path: '/alerts',
  about: 'Alerts that changed within the range or still fire, latest change first.',
  params: {
    ...rangeParams,
    service: text('Only this service.', 200),
    state: oneOf('Only this state.', ['firing', 'resolved']),
    limit: integer('Alerts per page.', 1, 500, 100),
    after: afterParam,
  },
  answer: async (query, { queries }): Promise<AlertPage> => {
    const range = rangeOf(query);
    return await queries.alerts(
      { range, service: query.service, state: query.state },
      { limit: query.limit, after: query.after },
    );
  },
});

export const cluster = endpoint({
  path: '/cluster',
  about: 'Workers with their partitions, rates and lag, gateways, streams, and rates per service, as of now.',
  params: {},
  answer: (_query, context): ClusterStatus => context.cluster(),
});

export const model = endpoint({
  path: '/model',
  about: 'The model that classifies: versions, accuracy where truth is known, confusions, drift, learners, latency.',
  params: {},
  answer: async (_query, { models }): Promise<ModelStatus> => await models.status(),
});
