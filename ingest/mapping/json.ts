/** JSON as clients send it: numbers beyond 2^53 become their digits as text, since times in ns and ids are among them. */
const longNumber = /\d{16}/;

/** @throws SyntaxError */
export function parseJson(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text);
  return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    const source = context?.source;
    return source !== undefined && /^-?\d+$/.test(source) ? source : value;
  }) as (key: string, value: unknown) => unknown);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A number that was sent as one or as text, NaN for anything else. `Number()` of what a stranger sent is no way to know:
 * it throws at an object that calls something else `toString`.
 */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

/** As an attribute: text as it is, what is no text as JSON would write it, '' for nothing. @throws RangeError where it is nested thousands deep. */
export function valueText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? '' : JSON.stringify(value);
    default:
      return '';
  }
}

/** What was parsed already, as it would be sent; nothing where it is nested too deep for that. */
export function jsonBytes(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value) ?? '');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Buffer.alloc(0);
  }
}
