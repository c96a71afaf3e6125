/** The text of `logweir --help` and `logweir <command> --help`. */
import { helpOption } from './arguments.ts';
import type { Command, OptionSpec } from './command.ts';
import type { CommandEntry } from './commands.ts';

const table = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
};

export function generalHelp(commands: Readonly<Record<string, CommandEntry>>): string {
  const rows = Object.entries(commands).map(([name, entry]) => [name, entry.summary] as const);
  return [
    'Logweir collects logs, finds what is unusual in them, and says so.',
    '',
    'Usage: logweir COMMAND [options]',
    '',
    'Commands:',
    table(rows),
    '',
    'Run "logweir COMMAND --help" for what a command takes.',
    'Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 nothing found or a check did not hold.',
    '',
  ].join('\n');
}

export function commandHelp(name: string, summary: string, command: Command): string {
  const options: Record<string, OptionSpec> = { ...command.options, help: helpOption };
  const rows = Object.entries(options).map(([option, spec]) => [optionLeft(option, spec), spec.about] as const);
  return [
    `logweir ${name}: ${summary}`,
    '',
    `Usage: logweir ${name} [options]${command.usage === undefined ? '' : ` ${command.usage}`}`,
    '',
    command.about,
    '',
    'Options:',
    table(rows),
    ...(command.examples === undefined ? [] : ['', 'Examples:', ...command.examples.map((line) => `  ${line}`)]),
    '',
  ].join('\n');
}

function optionLeft(name: string, spec: OptionSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `;
  return `${short}--${name}${spec.type === 'string' ? ` ${spec.value ?? 'VALUE'}` : ''}`;
}
