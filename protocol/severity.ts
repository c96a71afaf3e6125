/**
 * Severity as in the OpenTelemetry log data model: numbers 1–24 in six ranges of four, 0 = unknown.
 * Source: opentelemetry.io/docs/specs/otel/logs/data-model, "Field: SeverityNumber" and appendix B.
 */
export type SeverityClass = 'UNKNOWN' | 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL';

export const severityClasses: readonly SeverityClass[] = [
  'UNKNOWN',
  'TRACE',
  'DEBUG',
  'INFO',
  'WARN',
  'ERROR',
  'FATAL',
];

/** Range of a severity number; anything outside 1–24 is UNKNOWN. */
export function severityClass(severityNumber: number): SeverityClass {
  if (severityNumber < 1 || severityNumber > 24) return 'UNKNOWN';
  return severityClasses[((severityNumber + 3) / 4) | 0] ?? 'UNKNOWN';
}

/** The names that senders use, upper case, to severity numbers (syslog's per appendix B: crit 18, alert 19, emerg 21). */
const numbersByName: ReadonlyMap<string, number> = new Map([
  ['TRACE', 1],
  ['TRACE2', 2],
  ['TRACE3', 3],
  ['TRACE4', 4],
  ['FINEST', 1],
  ['FINER', 2],
  ['VERBOSE', 3],
  ['V', 3],
  ['T', 1],
  ['TRC', 1],
  ['DEBUG', 5],
  ['DEBUG2', 6],
  ['DEBUG3', 7],
  ['DEBUG4', 8],
  ['FINE', 5],
  ['CONFIG', 6],
  ['D', 5],
  ['DBG', 5],
  ['INFO', 9],
  ['INFO2', 10],
  ['INFO3', 11],
  ['INFO4', 12],
  ['INFORMATION', 9],
  ['INFORMATIONAL', 9],
  ['I', 9],
  ['INF', 9],
  ['NOTICE', 10],
  ['N', 10],
  ['LOG', 9],
  ['OK', 9],
  ['SUCCESS', 9],
  ['WARN', 13],
  ['WARN2', 14],
  ['WARN3', 15],
  ['WARN4', 16],
  ['WARNING', 13],
  ['W', 13],
  ['WRN', 13],
  ['ERROR', 17],
  ['ERROR2', 18],
  ['ERROR3', 19],
  ['ERROR4', 20],
  ['ERR', 17],
  ['E', 17],
  ['FAILURE', 17],
  ['FAILED', 17],
  ['FAIL', 17],
  ['SEVERE', 17],
  ['CRITICAL', 18],
  ['CRIT', 18],
  ['C', 18],
  ['ALERT', 19],
  ['FATAL', 21],
  ['FATAL2', 22],
  ['FATAL3', 23],
  ['FATAL4', 24],
  ['F', 21],
  ['PANIC', 22],
  ['EMERG', 21],
  ['EMERGENCY', 21],
]);

/** Severity number of a name in any case; 0 where the name is not known. */
export function severityNumberOf(name: string): number {
  return numbersByName.get(name) ?? numbersByName.get(name.trim().toUpperCase()) ?? 0;
}

/** Syslog severity 0–7 (RFC 5424 §6.2.1) to a severity number. */
export const severityNumberOfSyslog: readonly number[] = [21, 19, 18, 17, 13, 10, 9, 5];
