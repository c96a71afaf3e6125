/**
 * The shell of a listening receiver: one port over TCP, TLS on the same port, and UDP. What clients send makes it hold no
 * more than it may (B1–B5):
 *
 * B1 While the publisher is full no connection is read: the kernel's buffers fill and the client waits. Nor are those of a
 *    sender that holds more than its share, or is over its quota. Datagrams are dropped and counted then, from three
 *    quarters on, so that a flood of them leaves room for connections.
 * B2 Paused connections go on in the order in which they stopped, a few at a time.
 * B3 Connections are limited in all and by address; those over it are ended at once.
 * B4 A message that has begun must end in time, and a connection must not be idle for ever; time while paused does not count.
 * B5 Unfinished messages of all connections together are bounded; the connection that goes over it is ended.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import process from 'node:process';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Cancel, Time } from '#bus/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import { backlogMax } from './admission/mod.ts';
import {
  type Conversation,
  ConversationEnd,
  type ListenerCounts,
  type ListenerLimits,
  type Listening,
} from './listening.ts';
import { type Tls, tlsHandshakeByte, tlsServer } from './tls.ts';

export interface ListenerOptions {
  name: string;
  host: string;
  port: number;
  udp: boolean;
  listening: Listening;
  counts: ListenerCounts;
  limits: ListenerLimits;
  tls: Tls | undefined;
  time: Time;
  /** The publisher takes no more. */
  full: () => boolean;
  /** Nothing is read of this address now. */
  mustWait: (address: string) => boolean;
  /** Counts why it must, once for each pause and each datagram. */
  countWait: (address: string) => void;
  /** The publisher is so full that datagrams of this address are dropped. */
  fullForDatagrams: (address: string) => boolean;
}

const sweepEveryMs = 1_000;
const resumeEveryMs = 5;
/** Connections that go on at once; each may bring a chunk of 64 KiB. */
const resumedAtOnce = 16;
const keepAliveMs = 60_000;
/** The kernel gives less where net.core.rmem_max says so. */
const datagramBufferBytes = 4 * 1024 * 1024;
const closeMs = 1_000;
const anyPortTries = 20;
const nothing = Buffer.alloc(0);
/** Answers that a client has not read. */
const answerBytesMax = 1024 * 1024;

interface Connection {
  socket: Socket;
  address: string;
  conversation: Conversation | null;
  /** When something came last. */
  activeMs: number;
  /** When the open message began; 0 = none. */
  openSinceMs: number;
  openBytes: number;
  paused: boolean;
}

export class Listener {
  port: number;
  private readonly options: ListenerOptions;
  private readonly connections = new Map<Socket, Connection>();
  private readonly byAddress = new Map<string, number>();
  /** TLS connections by the client's end. */
  private readonly handshaking = new Map<string, Connection>();
  private openBytes = 0;
  /** Stopped reading, in that order (B2). */
  private readonly waiting = new Set<Connection>();
  /** Gone, with events that are not taken yet. */
  private readonly detached = new Set<Connection>();
  private server: Server | null = null;
  private tlsServer: TlsServer | null = null;
  private datagrams: DatagramSocket | null = null;
  private readonly cancels: Cancel[] = [];

  constructor(options: ListenerOptions) {
    this.options = options;
    this.port = options.port;
  }

  get connectionsNow(): number {
    return this.connections.size;
  }

  /** @throws LogweirError PORT_TAKEN | CONFIG_INVALID */
  async start(): Promise<void> {
    const { tls, time } = this.options;
    if (tls !== undefined) this.tlsServer = this.secure(tls);
    await this.bindAll();
    this.cancels.push(
      time.every(sweepEveryMs, () => this.sweep()),
      time.every(resumeEveryMs, () => this.resume()),
    );
  }

  /** Ends all connections after what they sent was taken. */
  async stop(): Promise<void> {
    for (const cancel of this.cancels.splice(0)) cancel();
    this.datagrams?.close();
    const closed = new Promise<void>((resolve) => {
      if (this.server === null) resolve();
      else this.server.close(() => resolve());
    });
    for (const connection of this.connections.values()) this.finish(connection);
    for (const connection of this.detached) this.release(connection);
    const cancel = this.options.time.after(closeMs, () => {
      for (const { socket } of this.connections.values()) socket.destroy();
    });
    await closed;
    cancel();
  }

  private secure(tls: Tls): TlsServer {
    const server = tlsServer(tls, 'receivers');
    server.on('secureConnection', (socket) => this.serve(socket));
    server.on('tlsClientError', (_error, socket) => {
      this.options.counts.malformed++;
      socket.destroy();
    });
    return server;
  }

  /** A port that was free for connections may be taken for datagrams: where any will do, another is tried. */
  private async bindAll(): Promise<void> {
    const { port, udp } = this.options;
    for (let tries = port === 0 ? anyPortTries : 1; ; tries--) {
      await this.bind();
      if (!udp) return;
      try {
        await this.bindDatagrams();
        return;
      } catch (error) {
        this.server?.close();
        if (tries <= 1) throw error;
      }
    }
  }

  private bind(): Promise<void> {
    const { host, port } = this.options;
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
    server.on('connection', (socket) => this.accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(this.taken(error)));
      server.listen({ host, port, backlog: backlogMax }, () => {
        this.server = server;
        const address = server.address();
        if (typeof address === 'object' && address !== null) this.port = address.port;
        server.on('error', () => {});
        resolve();
      });
    });
  }

  private bindDatagrams(): Promise<void> {
    const { host } = this.options;
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(this.taken(error));
      });
      socket.bind({ address: host, port: this.port, exclusive: true }, () => {
        this.datagrams = socket;
        socket.on('error', () => {});
        try {
          socket.setRecvBufferSize(datagramBufferBytes);
        } catch {
          // Then it is as large as the system likes.
        }
        socket.on('message', (data, { address, port }) => this.datagram(socket, data, address, port));
        resolve();
      });
    });
  }

  private taken(cause: Error): Error {
    const { name, host, port } = this.options;
    if ((cause as { code?: string }).code !== 'EADDRINUSE') return cause;
    return new LogweirError(
      'PORT_TAKEN',
      `Port ${port} on ${host} (${name}) is used by another program.`,
      `Stop it, choose another with ports.${name}, or set receivers.${name} to false.`,
      { cause },
    );
  }

  private datagram(socket: DatagramSocket, data: Buffer, address: string, port: number): void {
    const { counts, listening, fullForDatagrams } = this.options;
    counts.bytes += data.length;
    if (fullForDatagrams(address)) {
      counts.dropped++;
      this.options.countWait(address);
      return;
    }
    this.safely(() => listening.datagram?.(data, address, (reply) => socket.send(reply, port, address, () => {})));
  }

  private accept(socket: Socket): void {
    const { counts, limits, listening, tls, time } = this.options;
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.byAddress.get(address) ?? 0;
    if (this.connections.size >= limits.connectionsMax || ofAddress >= limits.connectionsPerAddressMax) {
      counts.refused++;
      socket.destroy();
      return;
    }
    counts.connections++;
    this.byAddress.set(address, ofAddress + 1);
    const connection: Connection = {
      socket,
      address,
      conversation: null,
      activeMs: time.now(),
      openSinceMs: 0,
      openBytes: 0,
      paused: false,
    };
    this.connections.set(socket, connection);
    socket.on('error', () => {});
    socket.once('close', () => this.forget(socket, connection));
    if (this.tlsServer === null) this.converse(connection, socket);
    else if (listening.speaksFirst === true) this.shakeHands(connection);
    else
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return;
        socket.unshift(first);
        if (first[0] === tlsHandshakeByte) this.shakeHands(connection);
        else if (tls?.required === true) {
          counts.refused++;
          socket.destroy();
        } else this.converse(connection, socket);
      });
  }

  private shakeHands(connection: Connection): void {
    const { socket } = connection;
    const end = endOf(socket);
    this.handshaking.set(end, connection);
    socket.once('close', () => this.handshaking.delete(end));
    this.tlsServer?.emit('connection', socket);
  }

  /** A TLS connection is up: it was counted when its plain socket came. */
  private serve(secure: Socket): void {
    secure.on('error', () => {});
    const connection = this.handshaking.get(endOf(secure));
    if (connection === undefined) secure.destroy();
    else this.converse(connection, secure);
  }

  private converse(connection: Connection, socket: Socket): void {
    const { counts } = this.options;
    connection.socket = socket;
    connection.conversation = this.options.listening.converse({
      address: connection.address,
      send: (data) => {
        if (!socket.writable) return;
        socket.write(data);
        // Who never reads answers gets no more.
        if (socket.writableLength <= answerBytesMax) return;
        counts.overfull++;
        this.end(connection);
      },
    });
    socket.on('data', (chunk: Buffer) => this.take(connection, chunk));
    socket.once('end', () => {
      // What it sent is still worked on: that goes on when the socket is closed.
      if (connection.conversation?.busy !== true) this.finish(connection);
    });
    if (this.options.mustWait(connection.address)) this.pause(connection);
  }

  /** Goes on with what a conversation has taken and not done, when others had their turn. */
  private goOn(connection: Connection): void {
    const { mustWait, time } = this.options;
    const { address } = connection;
    const left = this.detached.has(connection);
    if (connection.conversation === null || (connection.paused && !left)) return;
    if (!left || !mustWait(address)) this.take(connection, nothing);
    const busy = connection.conversation?.busy === true;
    if (!left) {
      if (!busy && !connection.paused) connection.socket.resume();
    } else if (!busy) this.release(connection);
    else if (mustWait(address)) time.after(resumeEveryMs, () => this.goOn(connection));
  }

  /** The client is gone and what it sent is done. */
  private release(connection: Connection): void {
    this.detached.delete(connection);
    this.safely(() => connection.conversation?.end());
    connection.conversation = null;
    this.note(connection);
  }

  private take(connection: Connection, chunk: Buffer): void {
    const { counts, time, full, mustWait, limits } = this.options;
    const { conversation } = connection;
    if (conversation === null) return;
    counts.bytes += chunk.length;
    connection.activeMs = time.now();
    if (!this.safely(() => conversation.take(chunk))) {
      this.end(connection);
      return;
    }
    this.note(connection);
    if (this.openBytes > limits.openBytesMax && connection.openBytes > 0) {
      counts.overfull++;
      this.end(connection);
    } else if (full()) {
      // All at once: each would bring another chunk otherwise.
      for (const other of this.connections.values()) this.pause(other);
      return;
    } else if (mustWait(connection.address)) {
      this.pause(connection);
      return;
    }
    if (conversation.busy === true) {
      connection.socket.pause();
      time.soon(() => this.goOn(connection));
    }
  }

  /** False where the work failed. What is wrong with one sender's bytes, or with our reading of them, ends nobody else. */
  private safely(work: () => void): boolean {
    const { counts, name } = this.options;
    try {
      work();
      return true;
    } catch (error) {
      if (error instanceof ConversationEnd) counts[error.reason]++;
      else if (counts.failures++ === 0)
        process.emitWarning(`The receiver ${name} failed: ${(error as Error).stack ?? ''}`);
      return false;
    }
  }

  private note(connection: Connection): void {
    const openBytes = connection.conversation?.openBytes ?? 0;
    this.openBytes += openBytes - connection.openBytes;
    if (openBytes === 0) connection.openSinceMs = 0;
    else if (connection.openBytes === 0 || openBytes < connection.openBytes)
      connection.openSinceMs = connection.activeMs;
    connection.openBytes = openBytes;
  }

  private pause(connection: Connection): void {
    if (connection.paused || connection.conversation === null) return;
    connection.paused = true;
    connection.socket.pause();
    this.waiting.add(connection);
    this.options.counts.pauses++;
    this.options.countWait(connection.address);
  }

  private resume(): void {
    if (this.waiting.size === 0) return;
    const now = this.options.time.now();
    let resumed = 0;
    for (const connection of this.waiting) {
      if (this.options.full() || resumed >= resumedAtOnce) return;
      if (this.options.mustWait(connection.address)) continue;
      resumed++;
      this.waiting.delete(connection);
      connection.paused = false;
      connection.activeMs = now;
      if (connection.openSinceMs > 0) connection.openSinceMs = now;
      if (connection.conversation?.busy === true) this.goOn(connection);
      else connection.socket.resume();
    }
  }

  private sweep(): void {
    const { limits, counts, listening, time } = this.options;
    const now = time.now();
    this.safely(() => listening.sweep?.());
    for (const connection of this.connections.values()) {
      if (connection.paused) continue;
      const idle = now - connection.activeMs > limits.idleMs;
      const endless = connection.openSinceMs > 0 && now - connection.openSinceMs > limits.messageMs;
      if (!idle && !endless) continue;
      counts.timedOut++;
      this.finish(connection);
    }
  }

  /** Takes what may be a last message, and ends the connection. */
  private finish(connection: Connection): void {
    this.safely(() => connection.conversation?.end());
    this.end(connection);
  }

  private end(connection: Connection): void {
    connection.conversation = null;
    this.note(connection);
    this.waiting.delete(connection);
    // What was answered is still sent; whoever keeps the other end open is cut off.
    const { socket } = connection;
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    this.options.time.after(closeMs, () => socket.destroy());
  }

  private forget(socket: Socket, connection: Connection): void {
    this.waiting.delete(connection);
    if (connection.conversation?.busy === true) {
      this.detached.add(connection);
      this.options.time.soon(() => this.goOn(connection));
    } else this.release(connection);
    if (!this.connections.delete(socket)) return;
    const left = (this.byAddress.get(connection.address) ?? 1) - 1;
    if (left > 0) this.byAddress.set(connection.address, left);
    else this.byAddress.delete(connection.address);
  }
}

const endOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
