/** nats-server and redis-server as `logweir up` runs them: finding or installing them, their settings, their readiness. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';
import { LogweirError } from '#protocol/errors.ts';

const setup = resolve(import.meta.dirname, '../../scripts/setup.sh');
/** Where package managers put servers that a user's PATH may leave out. */
const furtherDirs = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

export function findProgram(name: string, path: string): string | undefined {
  return [...path.split(delimiter), ...furtherDirs].map((dir) => join(dir, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Paths of the servers asked for; those that are missing are installed, which says on stderr what it does.
 * @throws LogweirError SERVER_MISSING
 */
export function findServers<N extends 'nats-server' | 'redis-server'>(names: readonly N[]): Record<N, string> {
  const path = process.env['PATH'] ?? '';
  const missing = names.filter((name) => findProgram(name, path) === undefined);
  if (missing.length > 0) spawnSync('sh', [setup, 'servers'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return Object.fromEntries(
    names.map((name) => {
      const program = findProgram(name, path);
      if (program !== undefined) return [name, program];
      throw new LogweirError(
        'SERVER_MISSING',
        `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed and could not be.`,
        `Run: sudo apt-get update && sudo apt-get install ${missing.join(' ')} (macOS: brew install nats-server redis), or name running servers by NATS_URL and REDIS_URL.`,
      );
    }),
  ) as Record<N, string>;
}

/** nats-server's own quoting: JSON strings are valid in its configuration. */
const quote = (text: string): string => JSON.stringify(text);

/** NATS caps max_payload at 8 MiB without a warning; batches are smaller, checkpoint chunks and control messages fit. */
export function natsSettings(options: { host: string; port: number; storeDir: string; fileBytesMax: number }): string {
  return [
    '# Written by logweir at every start; changes are lost.',
    `host: ${quote(options.host)}`,
    `port: ${options.port}`,
    `server_name: ${quote(`logweir-${options.port}`)}`,
    'max_payload: 8MB',
    'jetstream {',
    `  store_dir: ${quote(options.storeDir)}`,
    '  max_memory_store: 64MB',
    `  max_file_store: ${options.fileBytesMax}`,
    '}',
    '',
  ].join('\n');
}

/** Jobs must survive a restart (append-only file) and must never be thrown away for room (noeviction). */
export function redisArguments(options: { host: string; port: number; dir: string }): string[] {
  const settings = {
    bind: options.host,
    port: String(options.port),
    dir: options.dir,
    'protected-mode': 'yes',
    daemonize: 'no',
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  return Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
}

/** Whether nats-server answers with JetStream on. */
export const natsAnswers = (host: string, port: number): Promise<boolean> =>
  ask(host, port, '', (text) => text.startsWith('INFO ') && text.includes('"jetstream":true'));

/** Whether redis-server answers and has loaded its data. */
export const redisAnswers = (host: string, port: number): Promise<boolean> =>
  ask(host, port, 'PING\r\n', (text) => text.startsWith('+PONG'));

/** Sends a line and resolves to whether the first answer is as expected; false on any failure. */
function ask(host: string, port: number, line: string, expected: (answer: string) => boolean): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      done(answer);
    };
    socket.once('connect', () => line !== '' && socket.write(line));
    socket.once('data', (data) => end(expected(data.toString('latin1'))));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('close', () => done(false));
  });
}
