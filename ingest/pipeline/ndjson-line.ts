/** A record as a line that `/ingest` reads as the same record. */
import { type LogRecord, severityNumberOf } from '#protocol/mod.ts';

type Fields = Omit<LogRecord, 'resource' | 'attributes'> & {
  attributes?: readonly string[] | undefined;
  resource?: readonly string[] | null | undefined;
};

export function asNdjson(item: Fields): string {
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const { attributes, resource } = item;
  for (const pairs of [resource ?? [], attributes ?? []])
    for (let i = 0; i < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1];
  if (item.timeMs !== undefined) fields['timestamp'] = stamp(item.timeMs, item.timeSubNs ?? 0);
  if (item.service !== undefined) fields['service'] = item.service;
  if (item.severityText !== '') fields['severity'] = item.severityText;
  if (item.severityNumber !== severityNumberOf(item.severityText)) fields['severityNumber'] = item.severityNumber;
  fields['body'] = item.body;
  if ((item.traceId ?? '') !== '') fields['traceId'] = item.traceId;
  if ((item.spanId ?? '') !== '') fields['spanId'] = item.spanId;
  return JSON.stringify(fields);
}

/** ISO 8601 with as many digits as are known. */
function stamp(timeMs: number, subNs: number): string {
  const text = new Date(timeMs).toISOString();
  return subNs === 0 ? text : `${text.slice(0, -1)}${String(subNs).padStart(6, '0')}Z`;
}
