/** One process owns a data directory: a lock file that names it, and that a dead owner does not hold. */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { LogweirError } from '#protocol/errors.ts';

interface Owner {
  pid: number;
  /** Start time of the process in the kernel's ticks, so that a reused pid is not taken for the owner; '' = unknown. */
  started: string;
}

/**
 * Takes the lock. Returns what releases it.
 * @throws LogweirError DATA_DIR_IN_USE where a living process holds it.
 */
export function lockDirectory(file: string, directory: string): () => void {
  const self: Owner = { pid: process.pid, started: startedOf(process.pid) };
  const text = JSON.stringify(self);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = readOwner(file);
      if (attempt > 2 || (owner !== null && isAlive(owner))) throw inUse(directory, owner);
      remove(file);
    }
  }
  return () => {
    if (readOwner(file)?.pid === self.pid) remove(file);
  };
}

function inUse(directory: string, owner: Owner | null): LogweirError {
  return new LogweirError(
    'DATA_DIR_IN_USE',
    `The data directory ${directory} is in use by process ${owner?.pid ?? 'unknown'}.`,
    'Stop that cluster first, or choose another directory with --data.',
  );
}

function readOwner(file: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(file, 'utf8')) as Partial<Owner>;
    return typeof owner.pid === 'number' ? { pid: owner.pid, started: owner.started ?? '' } : null;
  } catch {
    return null;
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return owner.started === '' || owner.started === startedOf(owner.pid);
}

/** Field 22 of /proc/pid/stat; the name in field 2 may hold spaces, so count from its closing bracket. */
function startedOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
