/**
 * How other commands reach a running supervisor: one line of JSON each way over a socket that only this user may open,
 * named in `cluster.json`.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { LogweirError } from '#protocol/errors.ts';

export interface ScaleRequest {
  command: 'scale';
  workers: number;
}

export interface ScaleAnswer {
  /** Worker processes wanted before and after. */
  from: number;
  to: number;
  started: string[];
  /** Told to drain and to end. */
  draining: string[];
}

type Answer = { ok: true; answer: ScaleAnswer } | { ok: false; message: string; remedy: string };

/** Linux takes 108 bytes for the path of a socket, macOS 104. */
const pathBytesMax = 100;
const lineBytesMax = 64 * 1024;
const answerTimeoutMs = 10_000;

/** In the data directory, whose rights it shares; elsewhere where that path is too long for a socket. */
export function controlPath(dataDir: string): string {
  const path = join(dataDir, 'control.sock');
  return Buffer.byteLength(path) <= pathBytesMax ? path : join(tmpdir(), `logweir-${process.pid}.sock`);
}

/** Resolves to the way to stop. The data directory's lock is to be held: a socket that is there is a dead one's. */
export async function serveControl(path: string, scale: (workers: number) => ScaleAnswer): Promise<() => void> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    readLine(socket, (line) => socket.end(`${JSON.stringify(answerTo(line, scale))}\n`));
  });
  // The umask decides the rights of a new socket; nobody else may open it, not even for a moment.
  const before = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  return () => {
    server.close();
    rmSync(path, { force: true });
  };
}

function answerTo(line: string, scale: (workers: number) => ScaleAnswer): Answer {
  try {
    const request = JSON.parse(line) as Partial<ScaleRequest>;
    if (request.command !== 'scale' || !Number.isInteger(request.workers))
      throw new LogweirError(
        'USAGE',
        'The running Logweir does not know this request.',
        'Use the same version of both.',
      );
    return { ok: true, answer: scale(request.workers as number) };
  } catch (error) {
    const remedy = error instanceof LogweirError ? error.remedy : 'Its log says more.';
    return { ok: false, message: (error as Error).message, remedy };
  }
}

/**
 * Asks a supervisor.
 * @throws LogweirError CLUSTER_NOT_FOUND where it does not answer, USAGE where it refuses
 */
export async function askSupervisor(path: string, request: ScaleRequest): Promise<ScaleAnswer> {
  const line = await new Promise<string>((resolve, reject) => {
    const socket = createConnection(path);
    socket.setTimeout(answerTimeoutMs, () =>
      socket.destroy(new Error(`no answer within ${answerTimeoutMs / 1_000} s`)),
    );
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('it closed the connection')));
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    readLine(socket, (text) => {
      resolve(text);
      socket.destroy();
    });
  }).catch((cause: Error) => {
    throw new LogweirError(
      'CLUSTER_NOT_FOUND',
      `The supervisor of this cluster does not answer on ${path}: ${cause.message}.`,
      'If the cluster has just been started, try again in a moment; else run the command as the user that started it, or look whether "logweir up" still runs.',
      { cause },
    );
  });
  const answer = JSON.parse(line) as Answer;
  if (!answer.ok) throw new LogweirError('USAGE', answer.message, answer.remedy);
  return answer.answer;
}

function readLine(socket: NodeJS.ReadableStream & { destroy: () => void }, onLine: (line: string) => void): void {
  let text = '';
  let done = false;
  socket.on('data', (chunk: Buffer) => {
    if (done) return;
    text += chunk.toString();
    const end = text.indexOf('\n');
    if (end >= 0) {
      done = true;
      onLine(text.slice(0, end));
    } else if (text.length > lineBytesMax) socket.destroy();
  });
}
