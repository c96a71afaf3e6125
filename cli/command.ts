/**
 * The frame of every command. One file per command, `cli/<name>.ts`, that exports
 *
 *     export const command: Command = {
 *       about: 'What it does, for --help; may run over several lines.',
 *       usage: 'QUERY',                            // what follows the options in the usage line
 *       positionals: { min: 1, max: 1 },           // default: none allowed
 *       options: { json: jsonOption, limit: { type: 'string', value: 'N', about: 'rows at most, default 100' } },
 *       async run(ctx) { …; return exitCodes.ok; },
 *     };
 *
 * and is registered with its one-line summary in `cli/commands.ts`, which imports it only when it is called.
 * Keep the top of a command file light: import what is heavy (NATS, Redis, chdb) inside `run` or in a file that
 * `run` imports, since `--help` loads every command and filters must start within 300 ms.
 *
 * Throw `LogweirError` for what a person can mend: the frame prints its sentence and its remedy and exits 1
 * (2 for USAGE and CONFIG_INVALID). Anything else thrown is a bug and is printed with its stack.
 * A role (`gateway`, `worker`, …) sets `longRunning: true` and uses `runRole` of `cli/role.ts`.
 */
import type { Readable } from 'node:stream';
import type { Arguments } from './arguments.ts';

export interface OptionSpec {
  /** `boolean` takes no value. Numbers are strings here and read with `args.integer`. */
  type: 'string' | 'boolean';
  /** One letter, without the dash. */
  short?: string;
  /** May be given more than once; read with `args.strings`. */
  multiple?: boolean;
  /** What stands for the value in --help, such as `N` or `FILE`. */
  value?: string;
  /** One line for --help, with unit and default. */
  about: string;
}

export interface Command {
  about: string;
  usage?: string;
  positionals?: { min: number; max: number };
  options: Record<string, OptionSpec>;
  /** Examples for --help, each a command line. */
  examples?: readonly string[];
  /**
   * True: SIGINT and SIGTERM abort `ctx.signal` and the command ends by itself (a second one ends it at once).
   * Default false: signals end the process, as befits a filter.
   */
  longRunning?: boolean;
  /** Resolves to the exit code, one of `exitCodes`. */
  run(ctx: CommandContext): Promise<number>;
}

export interface CommandContext {
  /** Name the command was called by. */
  name: string;
  args: Arguments;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: Readable;
  /** Results: text to stdout as is; resolves when the pipe has room again. */
  write(text: string | Uint8Array): Promise<void>;
  /** One line of results to stdout. */
  print(line: string): void;
  /** One line for the person (progress, notices) to stderr. */
  note(line: string): void;
  /** Whether stdout and stderr are terminals. */
  terminal: { stdout: boolean; stderr: boolean; columns: number };
  /** Aborted by the first SIGINT or SIGTERM; only for `longRunning` commands. */
  signal: AbortSignal;
}

/** Exit codes that scripts can trust; README.md lists them. */
export const exitCodes = {
  ok: 0,
  /** The command could not do its work; stderr says why. */
  failed: 1,
  /** Wrong command line or configuration. */
  usage: 2,
  /** The work was done and the answer is no: nothing found, or a check did not hold. */
  nothing: 3,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

export const jsonOption: OptionSpec = { type: 'boolean', about: 'print JSON' };
export const configOption: OptionSpec = {
  type: 'string',
  value: 'FILE',
  about: 'configuration file, default ./logweir.yaml if there',
};
export const dataDirOption: OptionSpec = {
  type: 'string',
  value: 'DIR',
  about: 'data directory of the cluster, default .logweir',
};
