/**
 * A small description language for configuration: one tree gives the type, the defaults, the checks and the texts of
 * the errors, so that they cannot drift apart.
 */
import { LogweirError } from '#protocol/errors.ts';

export interface Field<T> {
  fallback: T;
  /** What is allowed, as the error says it: "a whole number from 1 to 10". */
  allowed: string;
  /** The value in its final form, or undefined where it is not allowed. `path` names it in errors of nested values. */
  read(raw: unknown, path: string): T | undefined;
}

export type Valued<S> = { [key in keyof S]: S[key] extends Field<infer T> ? T : never };

export function numberField(fallback: number, min: number, max: number): Field<number> {
  return {
    fallback,
    allowed: `a number from ${min} to ${max}`,
    read: (raw) => (typeof raw === 'number' && raw >= min && raw <= max ? raw : undefined),
  };
}

export function wholeField(fallback: number, min: number, max: number): Field<number> {
  return {
    fallback,
    allowed: `a whole number from ${min} to ${max}`,
    read: (raw) =>
      Number.isInteger(raw) && (raw as number) >= min && (raw as number) <= max ? (raw as number) : undefined,
  };
}

export function booleanField(fallback: boolean): Field<boolean> {
  return { fallback, allowed: 'true or false', read: (raw) => (typeof raw === 'boolean' ? raw : undefined) };
}

export function textField(fallback: string, maxLength = 512): Field<string> {
  return {
    fallback,
    allowed: `a text of 1 to ${maxLength} characters`,
    read: (raw) => (typeof raw === 'string' && raw.length >= 1 && raw.length <= maxLength ? raw : undefined),
  };
}

export function choiceField<T extends string>(fallback: T, choices: readonly T[]): Field<T> {
  return {
    fallback,
    allowed: `one of ${choices.join(', ')}`,
    read: (raw) => (choices.includes(raw as T) ? (raw as T) : undefined),
  };
}

export function listField<T>(fallback: T[], item: Field<T>, maxItems = 64): Field<T[]> {
  return {
    fallback,
    allowed: `a list of at most ${maxItems} entries, each ${item.allowed}`,
    read: (raw, path) => {
      if (!Array.isArray(raw) || raw.length > maxItems) return undefined;
      return raw.map((entry, at) => check(item, entry, `${path}[${at}]`));
    },
  };
}

/** An object of known keys. Keys that are left out take their default; unknown ones are refused. */
export function objectField<S extends Record<string, Field<unknown>>>(shape: S): Field<Valued<S>> {
  const keys = Object.keys(shape);
  const fallback = Object.fromEntries(keys.map((key) => [key, (shape[key] as Field<unknown>).fallback])) as Valued<S>;
  return {
    fallback,
    allowed: `a group of the keys ${keys.join(', ')}`,
    read: (raw, path) => {
      if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) return undefined;
      for (const key of Object.keys(raw)) {
        if (!keys.includes(key))
          throw invalid(`${path === '' ? key : `${path}.${key}`} is no known key`, `Allowed here: ${keys.join(', ')}.`);
      }
      const given = raw as Record<string, unknown>;
      const read = keys.map((key) => {
        const field = shape[key] as Field<unknown>;
        const value = given[key];
        return [key, value === undefined ? field.fallback : check(field, value, path === '' ? key : `${path}.${key}`)];
      });
      return Object.fromEntries(read) as Valued<S>;
    },
  };
}

/** @throws LogweirError CONFIG_INVALID that names the key and what is allowed. */
export function check<T>(field: Field<T>, raw: unknown, path: string): T {
  const value = field.read(raw, path);
  if (value !== undefined) return value;
  throw invalid(
    `${path === '' ? 'The analysis configuration' : path} is ${shown(raw)}`,
    `It must be ${field.allowed}.`,
  );
}

export function invalid(message: string, remedy: string): LogweirError {
  return new LogweirError('CONFIG_INVALID', `${message}.`, remedy);
}

function shown(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
