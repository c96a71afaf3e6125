/** What an endpoint under /api/v1 is: an address, its parameters, and how it answers from what is injected. */
import type { ApiDeps } from '../ports.ts';
import type { Param } from '../params.ts';
import { readQuery } from '../params.ts';

export type Context = Pick<ApiDeps, 'queries' | 'cluster' | 'models' | 'dead' | 'ingestUrl'> & { nowMs: number };

type Params = Record<string, Param<unknown>>;
type Values<S extends Params> = ReturnType<typeof readQuery<S>>;

interface Definition<S extends Params> {
  /** Below /api/v1, with `:id` where a part of the path is a value. */
  path: string;
  about: string;
  params: S;
  answer: (query: Values<S>, context: Context, id: string) => unknown;
}

export interface Endpoint {
  path: string;
  about: string;
  params: Params;
  /** Validates, then answers. Throws ApiProblem or LogweirError. */
  handle: (query: unknown, context: Context, id: string) => Promise<unknown>;
}

export function endpoint<S extends Params>(definition: Definition<S>): Endpoint {
  const { path, about, params, answer } = definition;
  return {
    path,
    about,
    params,
    handle: async (query, context, id) => await answer(readQuery(query, params, context.nowMs), context, id),
  };
}
