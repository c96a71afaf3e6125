/**
 * Whether a pid is still the process that it was: pids are used again, so nothing is ended by a pid alone.
 * The identity is the start time (of the boot, on Linux) that the system keeps for the process.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

/** A text that no other process on this machine has had or will have; undefined when there is no such process. */
export function identityOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // Fields 3 (state) and 22 (start time in clock ticks since boot) of proc(5). A zombie has ended.
      if (fields[0] === 'Z') return undefined;
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

export interface KnownProcess {
  pid: number;
  identity: string | undefined;
}

export const isAlive = (known: KnownProcess): boolean =>
  known.identity !== undefined && identityOf(known.pid) === known.identity;

/** Sends a signal to a process group's leader if it is still the process we know. */
export function signalKnown(known: KnownProcess, signal: NodeJS.Signals): boolean {
  if (!isAlive(known)) return false;
  try {
    return process.kill(known.pid, signal);
  } catch {
    return false;
  }
}
