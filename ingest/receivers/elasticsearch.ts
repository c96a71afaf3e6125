/**
 * Elasticsearch's `_bulk`, and what Filebeat, Logstash, Vector and Fluent Bit ask before their first: who is there, under
 * which licence, with which templates and policies. Those get the answer that lets them go on.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LogweirError } from '#protocol/mod.ts';
import { type Item, type Operation, operationsOf, takeOperations } from '../elasticsearch/bulk.ts';
import { incomingOf, takeIn } from '../intake.ts';
import { httpStatusOf, sayWhen } from '../problem.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';

/** A version that present clients accept; they refuse servers older than themselves by major version. */
const version = '9.0.0';
const clusterName = 'logweir';
const clusterUuid = 'logweir-0000000000000';

const types: Readonly<Record<number, string>> = {
  400: 'illegal_argument_exception',
  413: 'content_too_long_exception',
  415: 'media_type_header_exception',
  429: 'es_rejected_execution_exception',
};

type Params = { index?: string; id?: string };

export const elasticsearchReceiver: Receiver = {
  name: 'elasticsearch',
  register(app, context) {
    const options = { config: { answerError: refuse } };
    for (const url of ['/_bulk', '/:index/_bulk', '/:index/:type/_bulk'])
      app.route<{ Params: Params }>({
        method: ['POST', 'PUT'],
        url,
        ...options,
        handler: (request, reply) => handleBulk(request, reply, context),
      });
    for (const url of ['/:index/_doc', '/:index/_doc/:id', '/:index/_create/:id'])
      app.route<{ Params: Params }>({
        method: url.includes(':id') ? ['POST', 'PUT'] : ['POST'],
        url,
        ...options,
        handler: (request, reply) => handleDocument(request, reply, context),
      });
    handshake(app);
  },
};

async function handleBulk(
  request: FastifyRequest<{ Params: Params }>,
  reply: FastifyReply,
  context: ReceiverContext,
): Promise<FastifyReply> {
  const startedMs = context.clock();
  const index = request.params.index ?? '';
  let operations: Operation[] = [];
  const keyOf = (body: Buffer): string | undefined => {
    operations = operationsOf(body, index);
    return operations.every(({ id }) => id !== '') ? idsKey : undefined;
  };
  const { items } = await takeIn(context, { ...requestOf(request), keyOf }, (body, add, nowMs, bury) => {
    if (operations.length === 0) operations = operationsOf(body, index);
    const items = takeOperations(body, operations, add, nowMs, bury);
    return { items, rejected: items.filter(({ reason }) => reason !== '').length };
  });
  const { filter_path: filter } = request.query as { filter_path?: string };
  return product(reply).send({
    took: Math.max(0, context.clock() - startedMs),
    errors: items.some(({ reason }) => reason !== ''),
    // Who filters wants errors and statuses; ids and indices of thousands of documents say nothing to them.
    items: answers(items, filter !== undefined),
  });
}

async function handleDocument(
  request: FastifyRequest<{ Params: Params }>,
  reply: FastifyReply,
  context: ReceiverContext,
): Promise<FastifyReply> {
  const index = request.params.index ?? '';
  const { id = '' } = request.params;
  const keyOf = (): string | undefined => (id === '' ? undefined : idsKey);
  const { item } = await takeIn(context, { ...requestOf(request), keyOf }, (body, add, nowMs, bury) => {
    const whole = { action: 'index', index, id, start: 0, end: body.length };
    const [item] = takeOperations(body, [whole], add, nowMs, bury);
    return { item: item as Item, rejected: item?.reason === '' ? 0 : 1 };
  });
  if (item.reason === '') return product(reply.code(201)).send(answers([item], false)[0]?.['index']);
  throw new LogweirError('RECORD_REJECTED', `The document was not taken: ${item.reason}.`, 'Correct it.');
}

const requestOf = (request: FastifyRequest<{ Params: Params }>) => ({
  ...incomingOf(request, 'elasticsearch'),
  name: `${request.params.index ?? ''}\0${request.params.id ?? ''}`,
});

/**
 * Where every document has an id of the sender's, the same body again means the same documents, as in Elasticsearch: it is
 * named by itself, and adds nothing.
 */
const idsKey = 'elasticsearch-ids';

function answers(items: readonly Item[], brief: boolean): Record<string, unknown>[] {
  const made = randomUUID().slice(0, 18);
  return items.map(({ operation: { action, index, id }, reason, type }, i) => {
    if (reason !== '') return { [action]: { _index: index, _id: id || null, status: 400, error: { type, reason } } };
    if (brief) return { [action]: { status: 201 } };
    return {
      [action]: {
        _index: index,
        _id: id || `${made}${i}`,
        _version: 1,
        result: 'created',
        _shards: { total: 1, successful: 1, failed: 0 },
        _seq_no: 0,
        _primary_term: 1,
        status: 201,
      },
    };
  });
}

/** Without this header, Elastic's clients refuse to go on. */
const product = (reply: FastifyReply): FastifyReply => reply.header('x-elastic-product', 'Elasticsearch');

/** Elastic's clients send again on 429, and take 503 for a node that is down. */
function refuse(_request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const found = httpStatusOf(error);
  const status = found === 503 ? 429 : found;
  const { message } = error as Error;
  const reason = error instanceof LogweirError ? `${message} ${error.remedy}` : message;
  const cause = { type: types[status] ?? 'exception', reason };
  return product(sayWhen(reply, error).code(status)).send({ error: { root_cause: [cause], ...cause }, status });
}

/**
 * The one node there is, for clients that ask for all and go on with those: where they came to. Without any they would
 * find nobody to send to.
 */
const nodes = (address: string): unknown => ({
  _nodes: { total: 1, successful: 1, failed: 0 },
  cluster_name: clusterName,
  nodes: {
    [clusterName]: {
      name: clusterName,
      transport_address: address,
      host: address.replace(/:\d+$/, ''),
      ip: address.replace(/:\d+$/, ''),
      version,
      build_hash: '0'.repeat(40),
      roles: ['data', 'ingest', 'master'],
      http: { bound_address: [address], publish_address: address, max_content_length_in_bytes: 104_857_600 },
    },
  },
});

/** As its client named it, with the port. */
function addressOf({ headers, socket }: FastifyRequest): string {
  const host = headers.host ?? '';
  return /:\d+$/.test(host) ? host : `${host || socket.localAddress || '127.0.0.1'}:${socket.localPort ?? 9_200}`;
}

function handshake(app: FastifyInstance): void {
  const answer = (url: string, body: (name: string, request: FastifyRequest) => unknown): void => {
    app.get<{ Params: { name?: string } }>(url, async (request, reply) =>
      product(reply).send(body(request.params.name ?? '', request)),
    );
  };
  answer('/', () => ({
    name: clusterName,
    cluster_name: clusterName,
    cluster_uuid: clusterUuid,
    version: {
      number: version,
      build_flavor: 'default',
      build_type: 'tar',
      build_hash: '0'.repeat(40),
      build_date: '2025-01-01T00:00:00.000000000Z',
      build_snapshot: false,
      lucene_version: '10.1.0',
      minimum_wire_compatibility_version: '8.18.0',
      minimum_index_compatibility_version: '8.0.0',
    },
    tagline: 'You Know, for Search',
  }));
  const licence = { status: 'active', uid: clusterUuid, type: 'basic', mode: 'basic' };
  answer('/_license', () => ({ license: licence }));
  answer('/_xpack', () => ({
    build: { hash: '0'.repeat(40), date: '2025-01-01T00:00:00.000Z' },
    license: licence,
    features: { ilm: { available: true, enabled: true }, security: { available: true, enabled: false } },
  }));
  for (const url of ['/_cluster/health', '/_cluster/health/:name'])
    answer(url, () => ({ cluster_name: clusterName, status: 'green', timed_out: false, number_of_nodes: 1 }));
  for (const url of ['/_nodes', '/_nodes/http', '/_nodes/_all/http'])
    answer(url, (_name, request) => nodes(addressOf(request)));
  // rsyslog asks by HEAD.
  app.get('/_cat/health', (request, reply) => {
    const seconds = Math.floor(Date.now() / 1_000);
    const { format } = request.query as { format?: unknown };
    const health = { epoch: String(seconds), cluster: clusterName, status: 'green', 'node.total': '1' };
    if (format === 'json') return product(reply).send([health]);
    return product(reply)
      .type('text/plain')
      .send(`${seconds} 00:00:00 ${clusterName} green 1 1 0 0 0 0 0 0 - 100.0%\n`);
  });
  // Templates, policies and pipelines are all there already, whatever they are called: nothing needs to be set up.
  answer('/_index_template/:name', (name) => ({ index_templates: [{ name, index_template: { index_patterns: [] } }] }));
  answer('/_component_template/:name', (name) => ({ component_templates: [{ name, component_template: {} }] }));
  answer('/_data_stream/:name', (name) => ({ data_streams: [{ name, indices: [] }] }));
  for (const url of ['/_template/:name', '/_ilm/policy/:name', '/_ingest/pipeline/:name', '/_alias/:name'])
    answer(url, (name) => ({ [name]: {} }));
  const acknowledged = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    product(reply).send({ acknowledged: true, shards_acknowledged: true });
  for (const kind of [
    '_index_template',
    '_component_template',
    '_data_stream',
    '_template',
    '_ilm/policy',
    '_ingest/pipeline',
  ])
    app.put(`/${kind}/:name`, acknowledged);
  app.put('/:index', acknowledged);
  for (const url of ['/_refresh', '/:index/_refresh'])
    app.post(url, (_request, reply) => product(reply).send({ _shards: { total: 1, successful: 1, failed: 0 } }));
  // Metrics of Beats and Logstash of themselves: what Elasticsearch says where it does not collect them.
  app.post('/_monitoring/bulk', (_request, reply) => product(reply).send({ took: 0, ignored: true, errors: false }));
  app.head('/:index', (_request, reply) => product(reply).send());
}
