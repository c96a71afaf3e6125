/** Labelled records for `train` and `classify --prequential`: {"body", "severity"?, "category"?} per line. */
import { LogweirError } from '#protocol/errors.ts';
import type { CommandContext } from './command.ts';
import { jsonLines } from './input.ts';

export interface Labelled {
  body: string;
  severity?: string;
  category?: string;
}

/** @throws LogweirError INPUT_UNREADABLE naming file and line of a record without a text body. */
export function* labelledRecords(ctx: CommandContext, file: string | undefined): Generator<Labelled, void, undefined> {
  for (const { line, value } of jsonLines(ctx, file)) {
    const { body, severity, category } = value;
    if (typeof body !== 'string') {
      throw new LogweirError(
        'INPUT_UNREADABLE',
        `${file ?? 'stdin'}:${line} has no "body" text.`,
        'Every line needs {"body": "…"} and may have "severity" and "category".',
      );
    }
    yield {
      body,
      ...(typeof severity === 'string' ? { severity } : {}),
      ...(typeof category === 'string' ? { category } : {}),
    };
  }
}
