/** Labelled records for `train` and `classify --prequential`: {"body", "severity"?, "category"?} per line. */
import { LogweirError } from '#protocol/errors.ts';
import type { CommandContext } from './command.ts';
import { severityNumberOf } from '#protocol/severity.ts';
import { jsonLines } from './input.ts';

export interface Labelled {
  body: string;
  severity?: string;
  category?: string;
}

/**
 * A line that is no record with a text body throws INPUT_UNREADABLE naming file and line, unless `onBad` takes it.
 * With `onBad` a severity that nobody knows is told of too; without, such a record is predicted like any other.
 */
export function* labelledRecords(
  ctx: CommandContext,
  file: string | undefined,
  onBad?: (error: LogweirError) => void,
): Generator<Labelled, void, undefined> {
  for (const { line, value } of jsonLines(ctx, file, onBad)) {
    const { body, severity, category } = value;
    const place = `${file ?? 'stdin'}:${line}`;
    if (typeof body !== 'string') {
      const error = new LogweirError(
        'INPUT_UNREADABLE',
        `${place} has no "body" text.`,
        'Every line needs {"body": "…"} and may have "severity" and "category".',
      );
      if (onBad === undefined) throw error;
      onBad(error);
      continue;
    }
    if (onBad !== undefined && isUnknownSeverity(severity))
      onBad(
        new LogweirError(
          'INPUT_UNREADABLE',
          `${place} has ${JSON.stringify(severity).slice(0, 60)} as severity, which is not known.`,
          'Use a usual name, such as DEBUG, INFO, WARN or ERROR.',
        ),
      );
    yield {
      body,
      ...(typeof severity === 'string' ? { severity } : {}),
      ...(typeof category === 'string' ? { category } : {}),
    };
  }
}

function isUnknownSeverity(severity: unknown): boolean {
  if (severity === undefined || severity === null) return false;
  return typeof severity !== 'string' || severityNumberOf(severity) === 0;
}
