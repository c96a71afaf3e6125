import { severityClass, severityNumberOf } from '#protocol/mod.ts';

export type SeverityLabel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
export const severityLabels: readonly SeverityLabel[] = ['DEBUG', 'INFO', 'WARN', 'ERROR'];
/** Severity numbers of the labels (OpenTelemetry's first of each range). */
export const labelNumbers: readonly (5 | 9 | 13 | 17)[] = [5, 9, 13, 17];

/** TRACE counts as DEBUG, FATAL and kin as ERROR; undefined for a name that is no severity. */
export function severityLabelOf(name: string): SeverityLabel | undefined {
  switch (severityClass(severityNumberOf(name))) {
    case 'TRACE':
    case 'DEBUG':
      return 'DEBUG';
    case 'INFO':
      return 'INFO';
    case 'WARN':
      return 'WARN';
    case 'ERROR':
    case 'FATAL':
      return 'ERROR';
    case 'UNKNOWN':
      return undefined;
  }
}
