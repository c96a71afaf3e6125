/** Raw logs and the templates mined from them. */
import { afterParam, integer, oneOf, optionalInteger, pattern, rangeOf, rangeParams, text } from '../params.ts';
import type { LogPage, TemplatePage } from '../types.ts';
import { endpoint } from './endpoint.ts';

const service = text('Only this service.', 200);
const template = pattern('Only this template.', /^[\da-f]{1,64}$/, 'a template id: hex digits');

export const logs = endpoint({
  path: '/logs',
  about: 'Raw logs, newest first, paged by position: no page is skipped or shown twice while logs arrive.',
  params: {
    ...rangeParams,
    service,
    severity: optionalInteger('Lowest severity number, 1–24 (9 info, 13 warn, 17 error, 21 fatal).', 1, 24),
    text: text('Case-insensitive part of the body.', 500),
    template,
    trace: pattern('Only this trace.', /^[\da-fA-F]{1,64}$/, 'a trace id: hex digits'),
    category: text('Only this category.', 100),
    limit: integer('Logs per page.', 1, 1000, 100),
    after: afterParam,
  },
  answer: async (query, { queries }): Promise<LogPage> => {
    const range = rangeOf(query);
    const page = await queries.logs(
      {
        range,
        service: query.service,
        severityMin: query.severity,
        text: query.text,
        templateId: query.template,
        traceId: query.trace?.toLowerCase(),
        category: query.category,
      },
      { limit: query.limit, after: query.after },
    );
    return { range, items: page.items, next: page.next };
  },
});

export const templates = endpoint({
  path: '/templates',
  about: 'Templates mined from the logs: count: most frequent first; newest: latest first seen; rarest: fewest first.',
  params: {
    service,
    text: text('Case-insensitive part of the template.', 200),
    template,
    sort: oneOf('Order.', ['count', 'newest', 'rarest'], 'count'),
    limit: integer('Templates per page.', 1, 500, 100),
    after: afterParam,
  },
  answer: async (query, { queries }): Promise<TemplatePage> =>
    await queries.templates(
      { service: query.service, text: query.text, templateId: query.template, sort: query.sort },
      { limit: query.limit, after: query.after },
    ),
});
