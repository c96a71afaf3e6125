/** Reads plain data from YAML into typed values. Every error names the key and what is allowed there. */
import { LogweirError } from '#protocol/mod.ts';

export type Raw = Readonly<Record<string, unknown>>;

/** @throws LogweirError CONFIG_INVALID */
export function wrong(path: string, raw: unknown, allowed: string): never {
  const text = JSON.stringify(raw) ?? String(raw);
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  throw new LogweirError('CONFIG_INVALID', `${path} is ${shown}.`, `It must be ${allowed}.`);
}

/** An object without other keys than those; an unset one is empty. */
export function group(raw: unknown, path: string, keys: readonly string[]): Raw {
  if (raw === undefined || raw === null) return {};
  if (typeof raw !== 'object' || Array.isArray(raw)) wrong(path, raw, `a group of the keys ${keys.join(', ')}`);
  for (const key of Object.keys(raw)) {
    if (!keys.includes(key))
      throw new LogweirError('CONFIG_INVALID', `${path}.${key} is no known key.`, `Allowed here: ${keys.join(', ')}.`);
  }
  return raw as Raw;
}

export function whole(raw: unknown, path: string, fallback: number, min: number, max: number): number {
  const value = raw ?? fallback;
  const ok = Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return ok ? (value as number) : wrong(path, raw, `a whole number from ${min} to ${max}`);
}

export function score(raw: unknown, path: string, fallback: number): number {
  const value = raw ?? fallback;
  return typeof value === 'number' && value >= 0 && value <= 100 ? value : wrong(path, raw, 'a number from 0 to 100');
}

export function flag(raw: unknown, path: string, fallback: boolean): boolean {
  const value = raw ?? fallback;
  return typeof value === 'boolean' ? value : wrong(path, raw, 'true or false');
}

/** Text of 1 to 2,000 characters in one line; without a fallback it must be set. */
export function text(raw: unknown, path: string, fallback?: string): string {
  const value = raw ?? fallback;
  if (value !== undefined && value === fallback) return value as string;
  // Line breaks would let a value add lines to mail or HTTP headers.
  return typeof value === 'string' && value.length > 0 && value.length <= 2_000 && !/[\r\n]/.test(value)
    ? value
    : wrong(path, raw, 'a text of one line, not empty');
}

export function list<T>(raw: unknown, path: string, max: number, item: (raw: unknown, path: string) => T): T[] {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw) || raw.length > max) wrong(path, raw, `a list of at most ${max} entries`);
  return raw.map((entry, at) => item(entry, `${path}[${at}]`));
}

/** One text or a list of texts. */
export function texts(raw: unknown, path: string): string[] {
  return list(typeof raw === 'string' ? [raw] : raw, path, 64, (entry, at) => text(entry, at));
}

export function choice<T extends string>(raw: unknown, path: string, choices: readonly T[], fallback?: T): T {
  const value = raw ?? fallback;
  return choices.includes(value as T) ? (value as T) : wrong(path, raw, `one of ${choices.join(', ')}`);
}

export function choices<T extends string>(raw: unknown, path: string, all: readonly T[], fallback: T[] = []): T[] {
  if (raw === undefined || raw === null) return fallback;
  return list(typeof raw === 'string' ? [raw] : raw, path, all.length, (entry, at) => choice(entry, at, all));
}

export function url(raw: unknown, path: string, schemes: readonly string[]): string {
  const value = typeof raw === 'string' && URL.canParse(raw) ? new URL(raw) : null;
  if (value !== null && schemes.includes(value.protocol.slice(0, -1))) return raw as string;
  // The value may hold a token: it is not shown.
  throw new LogweirError(
    'CONFIG_INVALID',
    `${path} is no URL that can be used.`,
    `It must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}.`,
  );
}

/** A name: what logs, metrics and the page show. */
export function name(raw: unknown, path: string): string {
  return typeof raw === 'string' && /^[\w.-]{1,64}$/.test(raw)
    ? raw
    : wrong(path, raw, 'a name of 1 to 64 letters, digits, ".", "_" or "-"');
}

/** @throws LogweirError CONFIG_INVALID where a name is given twice. */
export function unique(names: readonly string[], path: string): void {
  const twice = names.find((one, at) => names.indexOf(one) !== at);
  if (twice !== undefined)
    throw new LogweirError('CONFIG_INVALID', `${path} has two entries named ${twice}.`, 'Give each its own name.');
}
