/** Reads the section `pipeline`: every problem names its path, such as `pipeline.steps[2].parse.formats[0]`, and what is allowed. */
import { LogweirError } from '#protocol/mod.ts';

export type Group = Readonly<Record<string, unknown>>;

/** `path problem.` and what to write instead. */
export function wrong(path: string, problem: string, allowed: string): LogweirError {
  return new LogweirError('CONFIG_INVALID', `${path} ${problem}.`, allowed);
}

export const isGroup = (raw: unknown): raw is Group => typeof raw === 'object' && raw !== null && !Array.isArray(raw);

/** @throws LogweirError CONFIG_INVALID where it is no group, or has other keys. */
export function group(raw: unknown, path: string, keys: readonly string[]): Group {
  if (!isGroup(raw)) throw wrong(path, `is ${shown(raw)}`, `It must be a group of the keys ${keys.join(', ')}.`);
  for (const key of Object.keys(raw))
    if (!keys.includes(key)) throw wrong(`${path}.${key}`, 'is no known key', `Allowed there: ${keys.join(', ')}.`);
  return raw;
}

export function text(raw: unknown, path: string, charactersMax = 256): string {
  if (typeof raw === 'number' || typeof raw === 'boolean') return String(raw);
  if (typeof raw !== 'string' || raw === '' || raw.length > charactersMax)
    throw wrong(path, `is ${shown(raw)}`, `It must be a text of 1 to ${charactersMax} characters.`);
  return raw;
}

/** The same where it may be left out. */
export function optionalText(raw: unknown, path: string, charactersMax = 256): string | undefined {
  return raw === undefined ? undefined : text(raw, path, charactersMax);
}

/** One text, or a list of them. */
export function texts(raw: unknown, path: string, itemsMax = 64, charactersMax = 256): string[] {
  if (!Array.isArray(raw)) return [text(raw, path, charactersMax)];
  if (raw.length === 0 || raw.length > itemsMax)
    throw wrong(path, `has ${raw.length} entries`, `It must have 1 to ${itemsMax}.`);
  return raw.map((one, at) => text(one, `${path}[${at}]`, charactersMax));
}

export function whole(raw: unknown, path: string, fallback: number, min: number, max: number): number {
  if (raw === undefined) return fallback;
  if (!Number.isInteger(raw) || (raw as number) < min || (raw as number) > max)
    throw wrong(path, `is ${shown(raw)}`, `It must be a whole number from ${min} to ${max}.`);
  return raw as number;
}

export function flag(raw: unknown, path: string, fallback: boolean): boolean {
  if (raw === undefined) return fallback;
  if (typeof raw !== 'boolean') throw wrong(path, `is ${shown(raw)}`, 'It must be true or false.');
  return raw;
}

export function choice<T extends string>(raw: unknown, path: string, choices: readonly T[]): T {
  if (!choices.includes(raw as T)) throw wrong(path, `is ${shown(raw)}`, `It must be one of ${choices.join(', ')}.`);
  return raw as T;
}

/** Names to texts, in their order. */
export function pairs(raw: unknown, path: string, entriesMax = 256): [name: string, value: string, path: string][] {
  if (!isGroup(raw)) throw wrong(path, `is ${shown(raw)}`, 'It must be a group of names and texts.');
  const entries = Object.entries(raw);
  if (entries.length === 0 || entries.length > entriesMax)
    throw wrong(path, `has ${entries.length} entries`, `It must have 1 to ${entriesMax}.`);
  return entries.map(([name, value]) => [name, text(value, `${path}.${name}`, 1024), `${path}.${name}`]);
}

export function shown(raw: unknown): string {
  if (raw === undefined) return 'missing';
  const json = JSON.stringify(raw) ?? typeof raw;
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}
