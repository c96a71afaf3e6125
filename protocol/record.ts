/**
 * One log record in OpenTelemetry's data model, as a row: what parsers make and tests read. The wire and the
 * hot path are columnar (`RecordBatch`).
 */
export interface LogRecord {
  /** Event time in ms since 1970 (integer). Undefined: the sender did not say; observed time is used. */
  timeMs?: number | undefined;
  /** Nanoseconds within that millisecond, 0–999 999. */
  timeSubNs?: number | undefined;
  /** The stamp named no zone, and was read as of this one: minutes east of UTC. Undefined where it named one. */
  zoneAssumedMinutes?: number | undefined;
  /** 0–24, 0 = unknown. */
  severityNumber: number;
  /** The sender's own word, untouched; '' = none. */
  severityText: string;
  /** Undefined: not said; the receiver infers or falls back. */
  service?: string | undefined;
  body: string;
  /** 32 hex digits or ''. */
  traceId?: string | undefined;
  /** 16 hex digits or ''. */
  spanId?: string | undefined;
  traceFlags?: number | undefined;
  /** Flat list key, value, key, value … */
  attributes?: string[] | undefined;
  /** Resource attributes, flat as above. `service.name` is not repeated here. */
  resource?: string[] | undefined;
  /** Instrumentation scope: [name, version]. */
  scope?: [string, string] | undefined;
}

/** The lane of live traffic; ingest jobs use their own id. State and windows are keyed by (service, lane). */
export const liveLane = 'live';
