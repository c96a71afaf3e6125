/** Bounds and readings that both encodings of OTLP share. */
import { LogweirError } from '#protocol/mod.ts';

/** Records of one request: empty ones take two bytes each on the wire, and forty here. Collectors send 8,192. */
export const recordsMax = 500_000;
/** A resource or scope; real ones have 1 to 2 KiB. Together with a record and a full batch it fits one message. */
export const resourceBytesMax = 64 * 1024;
/** Retention counts from observed time: one that is older than this is not believed, or a record would vanish as it is stored. */
const observedAgeMsMax = 86_400_000;

export function tooManyRecords(): LogweirError {
  return new LogweirError(
    'BODY_TOO_LARGE',
    `The request has over ${recordsMax} records.`,
    'Send them in smaller requests.',
  );
}

/** Of a body of lines, before the first is taken. @throws LogweirError BODY_TOO_LARGE */
export function checkLines(body: Buffer): void {
  let lines = 0;
  // A line takes a byte at least.
  for (let at = 0; body.length - at > recordsMax - lines; lines++) {
    at = body.indexOf(0x0a, at) + 1;
    if (at === 0) return;
    if (lines >= recordsMax) throw tooManyRecords();
  }
}

/** Observed time of a record, ms: the sender's where it is of the last day, else ours. */
export function observedOf(sentMs: number, nowMs: number): number {
  return sentMs > nowMs - observedAgeMsMax && sentMs <= nowMs ? sentMs : nowMs;
}

/** Attributes that each record of a scope gets for it. */
export function scopePairs(attributes: readonly string[], schemaUrl: string): string[] {
  const pairs: string[] = [];
  for (let i = 0; i < attributes.length; i += 2)
    pairs.push(`otel.scope.${attributes[i] as string}`, attributes[i + 1] as string);
  if (schemaUrl !== '') pairs.push('otel.scope.schema_url', schemaUrl);
  return pairs;
}
