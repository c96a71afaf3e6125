/** The OpenAPI document, made from the endpoint table so that it cannot drift from what is validated. */
import { correctionSchema, doerSchema } from './corrections.ts';
import { rollBackSchema, trainSchema } from './model-changes.ts';
import type { Endpoint } from './endpoints/mod.ts';
import { problemCodes } from './problems.ts';

const problem = {
  description: 'A problem document (RFC 9457).',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'remedy'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', description: `Stable. Of the API itself: ${Object.keys(problemCodes).join(', ')}.` },
    remedy: { type: 'string', description: 'What to do next.' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { parameter: { type: 'string' }, detail: { type: 'string' } } },
    },
  },
};

function operation(endpoint: Endpoint): object {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(endpoint.params).map(([name, param]) => ({
    name,
    in: 'query',
    required: false,
    description: param.about,
    schema: param.schema,
  }));
  return {
    get: {
      summary: endpoint.about,
      parameters: [...inPath, ...inQuery],
      responses: {
        200: { description: 'The answer.', content: { 'application/json': { schema: { type: 'object' } } } },
        default: problem,
      },
    },
  };
}

export function openApiDocument(endpoints: readonly Endpoint[]): object {
  const paths = Object.fromEntries(
    endpoints.map((endpoint) => [`/api/v1${endpoint.path.replace(/:(\w+)/g, '{$1}')}`, operation(endpoint)]),
  );
  const live = {
    get: {
      summary:
        'Server-Sent Events as they happen: rate (once a second), anomaly, alert, incident, dropped (this client was too slow).',
      responses: {
        200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        default: problem,
      },
    },
  };
  const answer = (description: string): object => ({
    description,
    content: { 'application/json': { schema: { type: 'object' } } },
  });
  const corrections = {
    get: {
      summary: 'Corrections by people that hold, oldest first.',
      responses: { 200: answer('The answer.'), default: problem },
    },
    post: {
      summary: 'Corrects severity, category or both of a template or message, from one message of the stream on.',
      requestBody: { required: true, content: { 'application/json': { schema: correctionSchema } } },
      responses: { 201: answer('The correction, with its id; the same again replaces it.'), default: problem },
    },
  };
  const inPath = [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }];
  const correction = {
    delete: {
      summary: 'Takes a correction back.',
      parameters: inPath,
      requestBody: { required: false, content: { 'application/json': { schema: doerSchema } } },
      responses: { 204: { description: 'It no longer holds.' }, default: problem },
    },
  };
  const undo = {
    post: {
      summary: 'Takes the last change of a correction back: what held before it holds again.',
      parameters: inPath,
      requestBody: { required: false, content: { 'application/json': { schema: doerSchema } } },
      responses: { 204: { description: 'It is taken back.' }, default: problem },
    },
  };
  const historyOf = (summary: string, parameters: object[]): object => ({
    get: { summary, parameters, responses: { 200: answer('Acts, newest first.'), default: problem } },
  });
  const train = {
    post: {
      summary: 'Asks the leader to train a model on stored logs and corrections; /api/v1/model tells what came of it.',
      requestBody: { required: false, content: { 'application/json': { schema: trainSchema } } },
      responses: { 202: answer('It is asked for.'), default: problem },
    },
  };
  const rollBack = {
    post: {
      summary: 'Lets an earlier model serve.',
      requestBody: { required: false, content: { 'application/json': { schema: rollBackSchema } } },
      responses: { 200: answer('The version that serves.'), default: problem },
    },
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Logweir',
      version: '1',
      description:
        'Read-only but for corrections and models. Times are ms since 1970; ranges include their start and exclude their end.',
    },
    paths: {
      ...paths,
      '/api/v1/live': live,
      '/api/v1/corrections': corrections,
      '/api/v1/corrections/{id}': correction,
      '/api/v1/corrections/history': historyOf('Who did what with corrections, when and why; kept for ever.', []),
      '/api/v1/corrections/{id}/history': historyOf('The same of one correction.', inPath),
      '/api/v1/corrections/{id}/undo': undo,
      '/api/v1/model/train': train,
      '/api/v1/model/rollback': rollBack,
    },
    components: { schemas: { Problem: problemSchema } },
  };
}
