/** Values as ClickHouse text: literals within SQL, and parameters as `param_x` carries them. */

/** A string literal. Backslash and quote are all that a ClickHouse literal needs escaped. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
};

/** TSV escaping: how ClickHouse reads a top-level parameter value. */
function escapeText(text: string): string {
  return text.replace(/[\\\n\t\r\0\b\f]/g, (char) => escapes[char] as string);
}

/**
 * A parameter value as text for `param_x`: scalars TSV-escaped, arrays and maps with quoted elements.
 * Dates are ms-exact seconds since 1970, which DateTime and DateTime64 take.
 */
export function paramText(value: unknown): string {
  if (value === null || value === undefined) return '\\N';
  if (typeof value === 'string') return escapeText(value);
  if (value instanceof Date) return dateText(value);
  return nested(value);
}

/** Elements of arrays and maps are literals. */
function nested(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'string') return `'${escapeText(value).replaceAll("'", "\\'")}'`;
  if (value instanceof Date) return dateText(value);
  if (Array.isArray(value)) return `[${value.map(nested).join(',')}]`;
  const entries = Object.entries(value as Record<string, unknown>);
  return `{${entries.map(([key, entry]) => `${nested(key)}:${nested(entry)}`).join(',')}}`;
}

function dateText(date: Date): string {
  return (date.getTime() / 1000).toFixed(3);
}

/** Names of a structure `a UInt8, b Map(String, String)`, quoted as they are. */
export function columnNames(structure: string): string {
  const names: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= structure.length; at++) {
    const char = structure[at];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (at === structure.length || (char === ',' && depth === 0)) {
      names.push(/^\s*(`(?:[^`\\]|\\.)*`|\S+)/.exec(structure.slice(start, at))?.[1] ?? '');
      start = at + 1;
    }
  }
  return names.join(', ');
}
