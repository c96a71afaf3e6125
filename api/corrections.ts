/** Corrections over HTTP: the only part of the API that takes anything. */
import type { FastifyInstance } from 'fastify';
import { byCharsMax, whyCharsMax } from '#protocol/mod.ts';
import { fieldsOf, malformed, refuseOtherOrigins } from './changes.ts';
import type { ApiDeps } from './ports.ts';
import { ApiProblem } from './problems.ts';
import type { CorrectionDoer, CorrectionHistory, CorrectionItem, CorrectionRequest } from './types.ts';

const bodyBytesMax = 32 * 1024;
const texts = {
  templateId: 'string',
  body: 'string',
  service: 'string',
  severity: 'string',
  category: 'string',
  by: 'string',
  why: 'string',
} as const;
const doerTexts = { by: 'string', why: 'string' } as const;
const byDefault = 'api';

const doerProperties = {
  by: { type: 'string', maxLength: byCharsMax, description: 'Who says so, default "api".' },
  why: { type: 'string', maxLength: whyCharsMax, description: 'Why; kept in the history.' },
};
export const doerSchema = { type: 'object', properties: doerProperties, additionalProperties: false };

/** What the OpenAPI document says of a request. */
export const correctionSchema = {
  type: 'object',
  description: 'One of templateId and body, and at least one of severity and category.',
  properties: {
    templateId: { type: 'string', description: 'Template to correct; it is followed while its text generalises.' },
    body: { type: 'string', description: 'Message to correct; <*> stands for anything.' },
    service: { type: 'string', description: 'Only there; default: the one service of the template, else all.' },
    severity: { type: 'string', enum: ['DEBUG', 'INFO', 'WARN', 'ERROR'] },
    category: { type: 'string' },
    ...doerProperties,
  },
  additionalProperties: false,
};

export function serveCorrections(app: FastifyInstance, { models, queries, clock }: ApiDeps): void {
  const doerOf = ({ by = '', why = '' }: { by?: string | undefined; why?: string | undefined }): CorrectionDoer => ({
    by: by.trim() === '' ? byDefault : by.trim(),
    why: why.trim(),
    atMs: clock(),
  });
  app.get('/api/v1/corrections', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return await models.corrections();
  });
  app.post('/api/v1/corrections', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    refuseOtherOrigins(request);
    const { templateId = '', body, service, severity = '', category = '', by, why } = readRequest(request.body);
    const about = { text: body ?? '', service: service ?? '' };
    if (templateId !== '') {
      const found = await queries.templates({ templateId, service, sort: 'count' }, { limit: 2 });
      const [first] = found.items;
      if (first === undefined)
        throw new ApiProblem(
          'NOT_FOUND',
          `There is no template '${templateId}'.`,
          'List what is there at /api/v1/templates, or send the message as "body".',
        );
      about.text = first.template;
      about.service = service ?? (found.items.length === 1 ? first.service : '');
    }
    const correction: CorrectionItem = await models.correct({
      ...about,
      templateId,
      severity: severity as CorrectionItem['severity'],
      category,
      ...doerOf({ by, why }),
    });
    return reply.code(201).header('cache-control', 'no-store').send(correction);
  });
  app.delete('/api/v1/corrections/:id', async (request, reply) => {
    refuseOtherOrigins(request);
    const { id } = request.params as { id: string };
    if (!(await models.uncorrect(id, doerOf(readDoer(request.body))))) throw unknown(id);
    return reply.code(204).send();
  });
  app.get('/api/v1/corrections/history', async (_request, reply): Promise<CorrectionHistory> => {
    reply.header('cache-control', 'no-store');
    return { items: await models.history(undefined) };
  });
  app.get('/api/v1/corrections/:id/history', async (request, reply): Promise<CorrectionHistory> => {
    const { id } = request.params as { id: string };
    const items = await models.history(id);
    if (items.length === 0) throw unknown(id);
    reply.header('cache-control', 'no-store');
    return { items };
  });
  app.post('/api/v1/corrections/:id/undo', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    refuseOtherOrigins(request);
    const { id } = request.params as { id: string };
    if (!(await models.undo(id, doerOf(readDoer(request.body))))) throw unknown(id);
    return reply.code(204).send();
  });
}

const unknown = (id: string): ApiProblem =>
  new ApiProblem('NOT_FOUND', `There is no correction '${id}'.`, 'List them at /api/v1/corrections.');

/** A body is optional: who, and why. */
function readDoer(value: unknown): { by?: string | undefined; why?: string | undefined } {
  return value === undefined || value === null ? {} : fieldsOf(value, doerTexts);
}

function readRequest(value: unknown): CorrectionRequest {
  const request: CorrectionRequest = fieldsOf(value, texts);
  if ((request.templateId ?? '') === '' ? (request.body ?? '') === '' : (request.body ?? '') !== '')
    throw malformed("Exactly one of 'templateId' and 'body' is needed.");
  return request;
}
