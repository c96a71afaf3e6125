/** One row of a series in CSV: `timestamp,value`; further columns are left alone. */
export interface SeriesRow {
  /** As it stands in the input, without quotes. */
  timestamp: string;
  /** ms since 1970; NaN where it is no time that we know. */
  timeMs: number;
  value: number;
}

const row = /^\s*(?:"([^"]*)"|([^,"]*))\s*,\s*(?:"([^"]*)"|([^,"]*))\s*(?:,.*)?$/;

/** Undefined where there is no second column with a number: a header, or a damaged row. */
export function parseSeriesRow(text: string): SeriesRow | undefined {
  const match = row.exec(text);
  if (match === null) return undefined;
  const timestamp = (match[1] ?? match[2] ?? '').trim();
  const number = (match[3] ?? match[4] ?? '').trim();
  if (number === '' || !Number.isFinite(Number(number))) return undefined;
  return { timestamp, timeMs: timeOf(timestamp), value: Number(number) };
}

/** Epoch in s or ms, or a date; a date without a zone is UTC, so that every machine gives the same answer. */
function timeOf(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) < 1e11 ? Number(text) * 1000 : Number(text);
  const iso = text.replace(' ', 'T');
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes('T') ? iso : `${iso}Z`);
}
