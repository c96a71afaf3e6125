/** JSON values one behind the other, with or without space between them, as clients of Splunk and Firehose batch events. */

const quote = 0x22;
const backslash = 0x5c;

export interface Span {
  start: number;
  end: number;
}

/**
 * Where each top-level value is; what follows the last whole one is the span that `rest` points to. Strings are skipped as
 * JSON quotes them; whether a value is JSON is found out when it is parsed.
 */
export function jsonSpans(body: Buffer, spansMax: number): { spans: Span[]; rest: number; tooMany: boolean } {
  const spans: Span[] = [];
  let at = 0;
  for (;;) {
    // Some clients put a comma between events, or all of them into one list.
    while (at < body.length && (isSpace(body[at] as number) || body[at] === 0x2c)) at++;
    if (at >= body.length) return { spans, rest: -1, tooMany: false };
    const end = valueEnd(body, at);
    if (end < 0) return { spans, rest: at, tooMany: false };
    if (spans.length >= spansMax) return { spans, rest: -1, tooMany: true };
    spans.push({ start: at, end });
    at = end;
  }
}

/** Behind the object or list that begins at `at`; -1 where none does or it does not end. */
function valueEnd(body: Buffer, at: number): number {
  const first = body[at];
  if (first !== 0x7b && first !== 0x5b) return -1;
  let depth = 0;
  for (let i = at; i < body.length; i++) {
    switch (body[i]) {
      case quote:
        i = stringEnd(body, i);
        if (i < 0) return -1;
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (--depth === 0) return i + 1;
        break;
      default:
    }
  }
  return -1;
}

/** The closing quote of the string that begins at `at`, -1 where there is none. */
function stringEnd(body: Buffer, at: number): number {
  for (let i = at + 1; i < body.length; i++) {
    if (body[i] === backslash) i++;
    else if (body[i] === quote) return i;
  }
  return -1;
}

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
