/** What every request that changes something goes through. */
import type { FastifyRequest } from 'fastify';
import { ApiProblem } from './problems.ts';

/** Another site's page may make a browser send; its Origin tells. */
export function refuseOtherOrigins({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  if (origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)) return;
  throw new ApiProblem(
    'ORIGIN_NOT_ALLOWED',
    `A page of '${origin}' may not change anything here.`,
    'Use the page that this server serves, or a program that sends no Origin.',
  );
}

export function malformed(detail: string): ApiProblem {
  return new ApiProblem('REQUEST_MALFORMED', detail, 'See /api/v1/openapi.json for what it takes.');
}

const kindNames = { string: 'text', number: 'a number', boolean: 'true or false' } as const;
type Kind = keyof typeof kindNames;
interface Values {
  string: string;
  number: number;
  boolean: boolean;
}

/** A JSON object with none but these fields, each of its kind. @throws ApiProblem REQUEST_MALFORMED */
export function fieldsOf<K extends Record<string, Kind>>(value: unknown, kinds: K): { [F in keyof K]?: Values[K[F]] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('The body is no JSON object.');
  for (const [name, given] of Object.entries(value)) {
    const kind = kinds[name];
    if (kind === undefined) throw malformed(`'${name}' is not known here; known are ${Object.keys(kinds).join(', ')}.`);
    if (typeof given !== kind) throw malformed(`'${name}' must be ${kindNames[kind]}.`);
  }
  return value;
}
