/** Clients that send whatever they are given: HTTP, gRPC, and bytes over sockets. None waits for ever. */
import { createSocket } from 'node:dgram';
import { Agent, request } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { HttpTarget } from './targets.ts';

/** An answer must be there by then: more than any body within the limits takes. */
export const answerMs = 10_000;

export interface Answered {
  /** 0 where the connection was ended without an answer. */
  status: number;
  body: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** @throws Error where nothing happens in time */
export function post(
  port: number,
  target: HttpTarget,
  body: Buffer,
  headers: Record<string, string>,
): Promise<Answered> {
  if (target.grpc === true) return call(port, target.path, body, headers);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      sent.destroy();
      reject(new Error(`no answer within ${answerMs} ms`));
    }, answerMs);
    const sent = request(
      { host: '127.0.0.1', port, path: target.path, method: 'POST', headers: sendable(headers, body), agent },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString().slice(0, 2_000)));
        response.on('error', () => {});
        response.on('close', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, body: text });
        });
      },
    );
    sent.on('error', () => {
      clearTimeout(timer);
      resolve({ status: 0, body: '' });
    });
    sent.end(body);
  });
}

/** Without length, Node's client would chunk; a length beside chunks is for the raw attacks. */
function sendable(headers: Record<string, string>, body: Buffer): Record<string, string> {
  return headers['transfer-encoding'] === undefined ? { ...headers, 'content-length': String(body.length) } : headers;
}

const sessions = new Map<number, ClientHttp2Session>();

function call(port: number, path: string, message: Buffer, headers: Record<string, string>): Promise<Answered> {
  let session = sessions.get(port);
  if (session === undefined || session.closed || session.destroyed) {
    session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    sessions.set(port, session);
  }
  const prefix = Buffer.alloc(5);
  const encoding = headers['content-encoding'];
  prefix[0] = encoding === undefined ? 0 : 1;
  prefix.writeUInt32BE(message.length, 1);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(encoding === undefined ? {} : { 'grpc-encoding': encoding }),
    });
    const timer = setTimeout(() => {
      stream.destroy();
      reject(new Error(`no answer within ${answerMs} ms`));
    }, answerMs);
    let status = 0;
    let code = '';
    const note = (found: Record<string, unknown>): void => {
      if (found[':status'] !== undefined) status = Number(found[':status']);
      if (found['grpc-status'] !== undefined) code = found['grpc-status'] as string;
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', () => {});
    stream.resume();
    stream.on('close', () => {
      clearTimeout(timer);
      // INTERNAL and UNKNOWN are what an exception would be.
      resolve({
        status: code === '0' ? status : code === '13' || code === '2' ? 500 : code === '' ? 0 : 400,
        body: `grpc ${code}`,
      });
    });
    stream.end(Buffer.concat([prefix, message]));
  });
}

export function closeClients(): void {
  agent.destroy();
  for (const session of sessions.values()) session.destroy();
  sessions.clear();
}

export function open(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Sends everything, ends, and resolves to what came back when the other end has closed too. */
export async function talk(
  port: number,
  chunks: readonly Buffer[],
  waitMs = answerMs,
  localAddress = '127.0.0.1',
): Promise<string> {
  const socket = await open(port, localAddress);
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1').slice(0, 20_000)));
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `a connection did not end within ${waitMs} ms; it was answered ${JSON.stringify(text.slice(0, 200))}`,
        ),
      );
    }, waitMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  for (const chunk of chunks) {
    if (!socket.writable) break;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
  return text;
}

export async function sendDatagrams(port: number, messages: readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const message of messages)
    await new Promise<void>((resolve) => {
      socket.send(message.subarray(0, 60_000), port, '127.0.0.1', () => resolve());
    });
  socket.close();
}
