/** The files that a command's arguments mean: names, patterns, directories, `-` for standard input. */
import { glob, open, opendir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { isDockersOwn } from '#analysis/formats/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import { archiveName, type Content, contentOf, headBytes } from './content.ts';
import { remedyOf, unreadable } from './unreadable.ts';

export interface InputFile {
  /** As it is opened; `-` is standard input. */
  path: string;
  /** File name without its directory; `stdin` for standard input. */
  name: string;
  /** Undefined where it cannot be known: pipes and standard input. */
  sizeBytes: number | undefined;
  /** Last modification in ms since 1970; undefined for pipes and standard input. */
  modifiedMs: number | undefined;
  compression: 'none' | 'gzip' | 'zstd';
}

export interface ResolvedInputs {
  files: InputFile[];
  /** One for each argument or file that cannot be used; the others stay. */
  problems: LogweirError[];
}

/** Directories below this depth are left alone. */
const depthMax = 32;

/**
 * Resolves arguments to files: in the order of the arguments, the contents of a directory by name, each file once. In
 * directories, hidden entries are passed over, and what is no text is named among the problems.
 */
export async function resolveInputs(patterns: readonly string[]): Promise<ResolvedInputs> {
  const resolved: ResolvedInputs = { files: [], problems: [] };
  const seen = new Set<string>();
  for (const pattern of patterns) await resolvePattern(pattern, resolved, seen);
  return resolved;
}

async function resolvePattern(pattern: string, resolved: ResolvedInputs, seen: Set<string>): Promise<void> {
  if (pattern === '-') {
    if (!seen.has('-'))
      resolved.files.push({
        path: '-',
        name: 'stdin',
        sizeBytes: undefined,
        modifiedMs: undefined,
        compression: 'none',
      });
    seen.add('-');
    return;
  }
  if (!(await exists(pattern)) && isGlob(pattern)) {
    const matches: string[] = [];
    for await (const match of glob(pattern)) if (!isDockersOwn(resolve(match))) matches.push(match);
    matches.sort();
    if (matches.length === 0) {
      resolved.problems.push(new LogweirError('INPUT_UNREADABLE', `No file matches ${pattern}.`, 'Check the pattern.'));
    }
    for (const match of matches) await addPath(match, resolved, seen, false, 0);
    return;
  }
  await addPath(pattern, resolved, seen, false, 0);
}

export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

/** True where it, or something in it, is among the inputs already. */
async function addPath(
  path: string,
  resolved: ResolvedInputs,
  seen: Set<string>,
  found: boolean,
  depth: number,
): Promise<boolean> {
  try {
    const real = await realpath(path).catch(() => resolve(path));
    if (seen.has(real)) return true;
    const facts = await stat(path);
    seen.add(real);
    if (facts.isDirectory()) {
      return await addDirectory(path, resolved, seen, depth);
    } else if (facts.isFile()) {
      await addFile(path, facts.size, facts.mtimeMs, resolved, found);
    } else if (facts.isFIFO() && !found) {
      resolved.files.push({
        path,
        name: basename(path),
        sizeBytes: undefined,
        modifiedMs: undefined,
        compression: 'none',
      });
    } else if (!found) {
      resolved.problems.push(
        new LogweirError('INPUT_UNREADABLE', `${path} is a device or socket.`, 'Name a file, a directory or -.'),
      );
    }
  } catch (error) {
    resolved.problems.push(unreadable({ path }, error as NodeJS.ErrnoException));
  }
  return false;
}

async function addDirectory(
  path: string,
  resolved: ResolvedInputs,
  seen: Set<string>,
  depth: number,
): Promise<boolean> {
  if (depth >= depthMax) {
    resolved.problems.push(
      new LogweirError('INPUT_UNREADABLE', `${path} is nested too deep.`, 'Name it as an argument of its own.'),
    );
    return false;
  }
  const names: string[] = [];
  for await (const entry of await opendir(path)) if (!entry.name.startsWith('.')) names.push(entry.name);
  names.sort();
  const before = resolved.files.length + resolved.problems.length;
  let known = false;
  for (const name of names) {
    const inside = join(path, name);
    if (isDockersOwn(resolve(inside))) continue;
    if (await addPath(inside, resolved, seen, true, depth + 1)) known = true;
  }
  if (depth === 0 && !known && resolved.files.length + resolved.problems.length === before) {
    resolved.problems.push(
      new LogweirError(
        'INPUT_EMPTY',
        `${path} holds no files to read.`,
        'Name a directory that has logs; hidden files are passed over.',
      ),
    );
  }
  return known;
}

async function addFile(
  path: string,
  sizeBytes: number,
  modifiedMs: number,
  resolved: ResolvedInputs,
  found: boolean,
): Promise<void> {
  const head = await headOf(path);
  const content: Content = contentOf(head);
  switch (content) {
    case 'empty':
      resolved.problems.push(
        new LogweirError('INPUT_EMPTY', `${path} is empty.`, 'Nothing was to be read from it; the other inputs are.'),
      );
      return;
    case 'archive':
    case 'binary': {
      const what = content === 'archive' ? `is a ${archiveName(head)} file` : 'does not look like text';
      const message = `${path} ${what}${found ? ' and was passed over' : ''}.`;
      resolved.problems.push(new LogweirError('INPUT_UNREADABLE', message, remedyOf(archiveName(head))));
      return;
    }
    default:
      resolved.files.push({
        path,
        name: basename(path),
        sizeBytes,
        modifiedMs,
        compression: content === 'gzip' || content === 'zstd' ? content : 'none',
      });
  }
}

/** The first bytes of a file. Throws what opening it throws. */
export async function headOf(path: string, bytes = headBytes): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await handle.read(buffer, 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
