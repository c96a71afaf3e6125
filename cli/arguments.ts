/** Command lines: parsing with errors that name the option and the nearest right one, and typed reading. */
import { parseArgs } from 'node:util';
import { LogweirError } from '#protocol/mod.ts';
import type { Command, OptionSpec } from './command.ts';
import { didYouMean } from './nearest.ts';

export interface Arguments {
  positionals: readonly string[];
  /** Whether a boolean option was given. */
  flag(name: string): boolean;
  /** Value of a string option, undefined when not given. */
  string(name: string): string | undefined;
  /** All values of a `multiple` option, in order. */
  strings(name: string): readonly string[];
  /** Whole number within [min, max]; undefined when not given. Throws USAGE otherwise. */
  integer(name: string, range?: { min?: number; max?: number }): number | undefined;
}

export const helpOption: OptionSpec = { type: 'boolean', short: 'h', about: 'show this help' };

const usageError = (name: string, message: string): LogweirError =>
  new LogweirError('USAGE', message, `Run "logweir ${name} --help" to see what it takes.`);

/** Parses what follows the command's name. Throws USAGE. With `--help` given, nothing else is checked. */
export function parseArguments(name: string, command: Command, argv: readonly string[]): Arguments & { help: boolean } {
  const options: Record<string, OptionSpec> = { ...command.options, help: helpOption };
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([key, spec]) => [
        key,
        { type: spec.type, multiple: true, ...(spec.short === undefined ? {} : { short: spec.short }) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  const help = tokens.some((token) => token.kind === 'option' && token.name === 'help');
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option' || help) continue;
    const spec = options[token.name];
    if (spec === undefined) {
      const hint = didYouMean(token.name, Object.keys(options), '--');
      throw usageError(name, `There is no option ${token.rawName} for "logweir ${name}".${hint}`);
    }
    if (spec.type === 'boolean' && token.value !== undefined) {
      throw usageError(name, `Option ${token.rawName} takes no value.`);
    }
    if (spec.type === 'string' && (token.value === undefined || looksLikeOption(token.value, token.inlineValue))) {
      throw usageError(name, `Option ${token.rawName} needs a value (${spec.value ?? 'VALUE'}).`);
    }
    const list = values.get(token.name) ?? [];
    if (list.length > 0 && spec.multiple !== true && spec.type === 'string') {
      throw usageError(name, `Option ${token.rawName} was given twice.`);
    }
    list.push(token.value ?? '');
    values.set(token.name, list);
  }
  if (!help) checkPositionals(name, command, positionals);
  return { help, ...reader(name, positionals, values) };
}

/** `--out --json` is a forgotten value; `--min -5` and `--file -` are values; `--out=--json` is meant. */
function looksLikeOption(value: string, inline: boolean | undefined): boolean {
  return inline !== true && value.startsWith('--') && value.length > 2;
}

function checkPositionals(name: string, command: Command, positionals: readonly string[]): void {
  const { min, max } = command.positionals ?? { min: 0, max: 0 };
  if (positionals.length < min) {
    throw usageError(name, `"logweir ${name}" needs ${command.usage ?? 'an argument'}.`);
  }
  if (positionals.length > max) {
    throw usageError(name, `"logweir ${name}" does not know what to do with "${positionals[max]}".`);
  }
}

function reader(name: string, positionals: readonly string[], values: ReadonlyMap<string, string[]>): Arguments {
  return {
    positionals,
    flag: (option) => values.has(option),
    string: (option) => values.get(option)?.[0],
    strings: (option) => values.get(option) ?? [],
    integer(option, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
      const text = values.get(option)?.[0];
      if (text === undefined) return undefined;
      const number = Number(text);
      if (!/^-?\d+$/.test(text) || number < min || number > max) {
        const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
        throw usageError(name, `Option --${option} must be a whole number ${range}, not "${text}".`);
      }
      return number;
    },
  };
}
