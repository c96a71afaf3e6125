/** The log files that a command was given: found, with a bar over their bytes, and what is wrong with some of them. */
import { type InputFile, resolveInputs } from '#ingest/files/mod.ts';
import { LogweirError } from '#protocol/errors.ts';
import type { CommandContext } from './command.ts';
import { Progress } from './progress.ts';

export interface LogFiles {
  /** Empty only where every one that was named has a problem. */
  files: InputFile[];
  problems: LogweirError[];
  /** For readers: bytes read since, and what is wrong with a file. */
  onBytes: (read: number) => void;
  onProblem: (problem: LogweirError) => void;
  /** Clears the bar. */
  end: () => void;
}

/**
 * Problems are told as they are found.
 * @throws LogweirError INPUT_EMPTY where nothing was found and nothing is wrong with what was named
 */
export async function openLogFiles(
  ctx: CommandContext,
  named: readonly string[],
  {
    prefix = '',
    remedy = 'Name files, directories or globs that hold logs, or - for standard input.',
  }: { prefix?: string; remedy?: string } = {},
): Promise<LogFiles> {
  const tell = (problem: LogweirError): void => ctx.note(`${prefix}${problem.message} ${problem.remedy}`);
  const { files, problems } = await resolveInputs(named);
  for (const problem of problems) tell(problem);
  if (files.length === 0 && problems.length === 0)
    throw new LogweirError('INPUT_EMPTY', 'There is no file to read.', remedy);
  const known = files.every((file) => file.sizeBytes !== undefined);
  const total = known ? files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0) : undefined;
  const progress = new Progress(ctx, 'reading', total, 'bytes');
  let bytes = 0;
  return {
    files,
    problems,
    onBytes: (read) => progress.update((bytes += read)),
    onProblem: (problem) => {
      problems.push(problem);
      tell(problem);
    },
    end: () => progress.end(),
  };
}

/** Whether a command failed over its files. An empty one beside others is no failure: directories of logs have them. */
export function failedOver(problems: readonly LogweirError[], lines: number): boolean {
  return problems.some(({ code }) => code !== 'INPUT_EMPTY') || (problems.length > 0 && lines === 0);
}
