/** Kinds of configuration values: how text or YAML becomes a value, and what is allowed, in words. */

/** Turns a YAML scalar or the text of an environment variable into a value, or into what is wrong with it. */
export type Read<T> = (raw: unknown) => { value: T } | { wrong: string };

export interface Kind<T> {
  read: Read<T>;
  /** What is allowed, such as `a whole number from 1 to 1024`. */
  allowed: string;
  /** Undefined: there is no default and the key may stay unset. */
  fallback: T;
  /** What the key is for, one sentence, with its unit. */
  about: string;
  /** The value must not appear in output; `<ENV>_FILE` names a file that holds it. */
  secret?: boolean;
  /** A further environment variable that sets this key, by a name in common use. */
  alias?: string;
}

const quoted = (raw: unknown): string => JSON.stringify(raw) ?? String(raw);

/** A whole number within [min, max]. `fallback` undefined makes it optional. */
export function whole<F extends number | undefined>(
  fallback: F,
  range: { min: number; max: number },
  about: string,
): Kind<number | F> {
  const allowed = `a whole number from ${range.min} to ${range.max}`;
  return {
    allowed,
    fallback,
    about,
    read(raw) {
      const number = typeof raw === 'string' && /^-?\d+$/.test(raw.trim()) ? Number(raw) : raw;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < range.min || number > range.max) {
        return { wrong: `must be ${allowed}, not ${quoted(raw)}` };
      }
      return { value: number };
    },
  };
}

export const port = (fallback: number, about: string): Kind<number> => whole(fallback, { min: 0, max: 65_535 }, about);

/** Text. An empty one is allowed where the default is empty. */
export function text(fallback: string, about: string, more: { secret?: true; alias?: string } = {}): Kind<string> {
  const allowed = fallback === '' ? 'text' : 'text that is not empty';
  return {
    allowed,
    fallback,
    about,
    ...more,
    read(raw) {
      const value = typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw;
      if (raw === null && fallback === '') return { value: '' };
      if (typeof value !== 'string' || (value === '' && fallback !== '')) {
        return { wrong: `must be ${allowed}, not ${quoted(raw)}` };
      }
      return { value };
    },
  };
}

/** A URL, or several with commas, of the given schemes; empty for none. */
export function urls(about: string, schemes: readonly string[], alias: string): Kind<string> {
  const allowed = `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  const fits = (value: string): boolean =>
    value
      .split(',')
      .every((part) => schemes.some((scheme) => part.trim().startsWith(`${scheme}://`) && URL.canParse(part.trim())));
  return {
    allowed,
    fallback: '',
    about,
    alias,
    read(raw) {
      if (raw === '' || raw === null) return { value: '' };
      return typeof raw === 'string' && fits(raw)
        ? { value: raw }
        : { wrong: `must be ${allowed}, not ${quoted(raw)}` };
    },
  };
}

export function flag(fallback: boolean, about: string): Kind<boolean> {
  const words = new Map<unknown, boolean>([
    [true, true],
    ['true', true],
    ['1', true],
    [false, false],
    ['false', false],
    ['0', false],
  ]);
  return {
    allowed: 'true or false',
    fallback,
    about,
    read(raw) {
      const value = words.get(raw);
      return value === undefined ? { wrong: `must be true or false, not ${quoted(raw)}` } : { value };
    },
  };
}

/** A whole section that its own folder validates (`analysis`, `alerting`); kept as plain data. */
export type RawSection = Readonly<Record<string, unknown>>;
