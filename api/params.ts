/**
 * Query parameters, strictly: unknown names, repeats and bad values are all told at once. Each parameter is one
 * value that parses, and describes itself for the OpenAPI document.
 */
import { eventTimeMsMax } from '#protocol/limits.ts';
import { invalidQuery } from './problems.ts';

export interface Param<T> {
  about: string;
  schema: Record<string, unknown>;
  /** Value when the parameter is not given. */
  fallback: (nowMs: number) => T;
  /** Throws a ParamError in words that follow the parameter's name: "must be …". */
  parse: (text: string, nowMs: number) => T;
}

export class ParamError extends Error {}

type Values<S extends Record<string, Param<unknown>>> = { [K in keyof S]: S[K] extends Param<infer T> ? T : never };

/** Reads a request's query by its parameters. Throws the ApiProblem that names everything wrong with it. */
export function readQuery<S extends Record<string, Param<unknown>>>(
  query: unknown,
  params: S,
  nowMs: number,
): Values<S> {
  const given = (query ?? {}) as Record<string, string | string[]>;
  const errors: { parameter: string; detail: string }[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(params, name)) {
      errors.push({
        parameter: name,
        detail: `is not known here; known are ${Object.keys(params).join(', ') || 'none'}`,
      });
    }
  }
  for (const [name, param] of Object.entries(params)) {
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    if (Array.isArray(text)) {
      errors.push({ parameter: name, detail: 'may be given once' });
    } else if (text === undefined || text === '') {
      values[name] = param.fallback(nowMs);
    } else {
      try {
        values[name] = param.parse(text, nowMs);
      } catch (error) {
        if (!(error instanceof ParamError)) throw error;
        errors.push({ parameter: name, detail: error.message });
      }
    }
  }
  if (errors.length > 0) throw invalidQuery(errors);
  return values as Values<S>;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const relative = /^now(?:-(\d{1,6})([smhdw]))?$/;
const isoLike = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A point in time: `now`, `now-6h`, ISO 8601 with zone (or a date, in UTC), or ms since 1970. */
function parseTime(text: string, nowMs: number): number {
  const ago = relative.exec(text);
  let ms: number;
  if (ago !== null) ms = nowMs - Number(ago[1] ?? 0) * (unitsMs[ago[2] ?? 's'] as number);
  else if (/^\d{1,13}$/.test(text)) ms = Number(text);
  else ms = isoLike.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new ParamError("must be ms since 1970, ISO 8601 with a zone such as 2025-03-01T12:00:00Z, 'now' or 'now-6h'");
  }
  if (ms < 0 || ms > eventTimeMsMax + 1) throw new ParamError('must lie between 1970 and 2106');
  return ms;
}

export function time(about: string, agoMs: number): Param<number> {
  return {
    about,
    schema: { type: 'string', examples: ['now-1h', '2025-03-01T12:00:00Z', '1740830400000'] },
    fallback: (nowMs) => nowMs - agoMs,
    parse: parseTime,
  };
}

export function integer(about: string, min: number, max: number, fallback: number): Param<number> {
  return {
    ...optionalInteger(about, min, max),
    fallback: () => fallback,
    schema: { type: 'integer', minimum: min, maximum: max, default: fallback },
  } as Param<number>;
}

export function optionalInteger(about: string, min: number, max: number): Param<number | undefined> {
  return {
    about,
    schema: { type: 'integer', minimum: min, maximum: max },
    fallback: () => undefined,
    parse: (value) => {
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) throw new ParamError(`must be a whole number from ${min} to ${max}`);
      return number;
    },
  };
}

export function text(about: string, lengthMax: number): Param<string | undefined> {
  return {
    about,
    schema: { type: 'string', maxLength: lengthMax },
    fallback: () => undefined,
    parse: (value) => {
      if (value.length > lengthMax) throw new ParamError(`may have at most ${lengthMax} characters`);
      if (value.includes('\0')) throw new ParamError('may not hold a NUL character');
      return value;
    },
  };
}

export function pattern(about: string, regex: RegExp, inWords: string): Param<string | undefined> {
  return {
    about,
    schema: { type: 'string', pattern: regex.source },
    fallback: () => undefined,
    parse: (value) => {
      if (!regex.test(value)) throw new ParamError(`must be ${inWords}`);
      return value;
    },
  };
}

export function oneOf<const T extends string>(about: string, values: readonly T[], fallback: T): Param<T>;
export function oneOf<const T extends string>(about: string, values: readonly T[]): Param<T | undefined>;
export function oneOf<const T extends string>(about: string, values: readonly T[], fallback?: T): Param<T | undefined> {
  const schema = { type: 'string', enum: values, ...(fallback === undefined ? {} : { default: fallback }) };
  return {
    about,
    schema,
    fallback: () => fallback,
    parse: (value) => {
      const known = values.find((candidate) => candidate === value);
      if (known === undefined) throw new ParamError(`must be one of ${values.join(', ')}`);
      return known;
    },
  };
}

/** The two ends of the range that nearly every question has. */
export const rangeParams = {
  from: time('Start of the range, inclusive; an hour ago when not given.', 3_600_000),
  to: time('End of the range, exclusive; now when not given.', 0),
};

/** The range of a query that passed; ends in the wrong order are a problem of their own. */
export function rangeOf(query: { from: number; to: number }): { fromMs: number; toMs: number } {
  if (query.from >= query.to) throw invalidQuery([{ parameter: 'from', detail: "must be earlier than 'to'" }]);
  return { fromMs: query.from, toMs: query.to };
}

export const afterParam = pattern(
  "Where the page before ended: its 'next'.",
  /^[\w.:~-]{1,512}$/,
  "the 'next' of the page before",
);
