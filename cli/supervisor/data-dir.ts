/** The data directory: made when missing, owned by one supervisor at a time, cleared of what a killed one left running. */
import { accessSync, constants, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogweirError } from '#protocol/errors.ts';
import { readClusterFile, removeClusterFile } from '../cluster-file.ts';
import { identityOf, isAlive, type KnownProcess, signalKnown } from './identity.ts';

/** How long a process that a killed supervisor left behind may take to end before it is killed, in ms. */
const orphanTimeoutMs = 5_000;

/** @throws LogweirError DATA_DIR_UNUSABLE */
export function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(join(dataDir, 'logs'), { recursive: true });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LogweirError(
      'DATA_DIR_UNUSABLE',
      `The data directory ${dataDir} cannot be created or written (${code}).`,
      'Choose another with --data-dir, or change its rights.',
      { cause },
    );
  }
}

/**
 * Takes the directory for this process. Returns what gives it back.
 * @throws LogweirError DATA_DIR_IN_USE that names the owner's pid
 */
export function lockDataDir(dataDir: string): () => void {
  return takeLock(
    join(dataDir, 'lock'),
    (pid) =>
      new LogweirError(
        'DATA_DIR_IN_USE',
        `The data directory ${dataDir} is used by the Logweir cluster of process ${pid}.`,
        `Stop that cluster (kill ${pid}), or give this one its own with --data-dir.`,
      ),
  );
}

/** Makes the lock file, unless a living process holds it: then throws what `inUse` says of its pid. */
export function takeLock(lock: string, inUse: (pid: number) => LogweirError): () => void {
  const me: KnownProcess = { pid: process.pid, identity: identityOf(process.pid) };
  for (;;) {
    if (createWhole(lock, JSON.stringify(me))) {
      let held = true;
      return () => {
        if (held) rmSync(lock, { force: true });
        held = false;
      };
    }
    const owner = readOwner(lock);
    if (owner !== undefined && isAlive(owner)) throw inUse(owner.pid);
    dropStaleLock(lock, owner);
  }
}

/** Creates a file with its content in one step, so that nobody ever reads half a lock. False where it exists. */
function createWhole(path: string, content: string): boolean {
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, content);
  try {
    linkSync(fresh, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Moves the dead owner's lock away. Where another process was faster, its new lock is put back. */
function dropStaleLock(lock: string, owner: KnownProcess | undefined): void {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  const moved = readOwner(aside);
  if (moved !== undefined && (moved.pid !== owner?.pid || moved.identity !== owner.identity)) renameSync(aside, lock);
  else rmSync(aside, { force: true });
}

function readOwner(lock: string): KnownProcess | undefined {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')) as KnownProcess;
  } catch {
    return undefined;
  }
}

/** Ends what a supervisor that was killed left running. Call with the lock held. Returns the units it ended. */
export async function endOrphans(dataDir: string): Promise<string[]> {
  const left = Object.entries(readClusterFile(dataDir)?.processes ?? {}).filter(([, known]) => isAlive(known));
  for (const [, known] of left) signalKnown(known, 'SIGTERM');
  for (let waitedMs = 0; left.some(([, known]) => isAlive(known)) && waitedMs < orphanTimeoutMs; waitedMs += 50)
    await sleep(50);
  for (const [, known] of left) signalKnown(known, 'SIGKILL');
  while (left.some(([, known]) => isAlive(known))) await sleep(20);
  removeClusterFile(dataDir);
  return left.map(([name]) => name);
}
