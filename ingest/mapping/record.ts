/** From a row to a view on its way into a batch, held to the limits of one record. Not for hot paths. */
import {
  attributesMax,
  type LogRecord,
  type RecordView,
  recordBytesMax,
  unknownService,
  viewOf,
} from '#protocol/mod.ts';

/** Why the record cannot be taken, '' where the view holds it now. */
export function fillView(record: LogRecord, nowMs: number, view: RecordView): string {
  const reason = reasonAgainst(record);
  if (reason === '') viewOf(record, { observedMs: nowMs, service: unknownService }, view);
  return reason;
}

/** Why the record is over a limit, '' where it is not any more: attributes over their number are folded into one. */
export function reasonAgainst(record: LogRecord): string {
  if (record.attributes !== undefined) record.attributes = foldedAttributes(record.attributes);
  const bytes = bytesOf(record);
  return bytes > recordBytesMax ? `it has ${bytes} bytes, ${recordBytesMax} are allowed` : '';
}

/** What is over `attributesMax` goes into one attribute, as JSON. */
export function foldedAttributes(pairs: string[]): string[] {
  if (pairs.length <= attributesMax * 2) return pairs;
  const kept = pairs.slice(0, (attributesMax - 1) * 2);
  const parts: string[] = [];
  for (let i = kept.length; i < pairs.length; i += 2)
    parts.push(`${JSON.stringify(pairs[i])}:${JSON.stringify(pairs[i + 1])}`);
  kept.push('attributes.rest', `{${parts.join(',')}}`);
  return kept;
}

function bytesOf(record: LogRecord): number {
  const texts = [record.body, record.severityText, ...(record.attributes ?? []), ...(record.resource ?? [])];
  let characters = 0;
  for (const text of texts) characters += text.length;
  // Three bytes a character at most: exact only near the limit.
  if (characters * 3 <= recordBytesMax) return characters;
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
