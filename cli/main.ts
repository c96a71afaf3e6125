/** Entry point of the `logweir` command: finds the command, runs it, turns its outcome into an exit code. */
import process from 'node:process';
import { LogweirError } from '#protocol/mod.ts';
import { parseArguments } from './arguments.ts';
import { type CommandContext, exitCodes } from './command.ts';
import { commands } from './commands.ts';
import { commandHelp, generalHelp } from './help.ts';
import { didYouMean } from './nearest.ts';
import { TerminalText } from './terminal-text.ts';

/** Runs one command line (without `node` and the script) and resolves to the exit code. Throws nothing. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const [name, ...rest] = argv;
    if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
      (name === undefined ? process.stderr : process.stdout).write(generalHelp(commands));
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (name === '--version' || name === '-v') {
      process.stdout.write(`${(await import('../package.json', { with: { type: 'json' } })).default.version}\n`);
      return exitCodes.ok;
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) {
      const what = name.startsWith('-') ? `option ${name} before the command` : `command "${name}"`;
      const hint = didYouMean(name, Object.keys(commands));
      throw new LogweirError('USAGE', `There is no ${what}.${hint}`, 'Run "logweir --help" to see the commands.');
    }
    const { command } = await entry.load();
    const args = parseArguments(name, command, rest);
    if (args.help) {
      process.stdout.write(commandHelp(name, entry.summary, command));
      return exitCodes.ok;
    }
    const signal = command.longRunning === true ? abortOnSignals() : new AbortController().signal;
    return await command.run({ ...context(), name, args, signal });
  } catch (error) {
    return reportError(error);
  }
}

function context(): Omit<CommandContext, 'name' | 'args' | 'signal'> {
  const out = new TerminalText(process.stdout.isTTY === true);
  const err = new TerminalText(process.stderr.isTTY === true);
  return {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    write: (text) => new Promise<void>((resolve) => process.stdout.write(out.shown(text), () => resolve())),
    print: (line) => void process.stdout.write(out.shown(`${line}\n`)),
    note: (line) => void process.stderr.write(err.shown(`${line}\n`)),
    terminal: {
      stdout: process.stdout.isTTY === true,
      stderr: process.stderr.isTTY === true,
      columns: process.stderr.columns ?? 80,
    },
  };
}

/** The first signal aborts, the second ends the process at once. */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  return controller.signal;
}

function reportError(error: unknown): number {
  const err = new TerminalText(process.stderr.isTTY === true);
  if (error instanceof LogweirError) {
    process.stderr.write(err.shown(`logweir: ${error.message}\n  ${error.remedy}\n`));
    return error.code === 'USAGE' || error.code === 'CONFIG_INVALID' ? exitCodes.usage : exitCodes.failed;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(err.shown(`logweir: unexpected failure; this is a bug in Logweir.\n${text}\n`));
  return exitCodes.failed;
}

/** A reader such as `head` that has seen enough closes the pipe: that is the end of the work, not an error. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed);
  });
}

const code = await main(process.argv.slice(2));
if (process.stdout.writableLength > 0) await new Promise<void>((resolve) => process.stdout.end(resolve));
process.exit(code);
