/** TLS on a port beside what is spoken there without it, told apart by the first byte. */
import type { Server, Socket } from 'node:net';
import { createServer, type Server as TlsServer } from 'node:tls';
import { LogweirError } from '#protocol/mod.ts';

export interface Tls {
  /** PEM. */
  cert: string;
  key: string;
  /** Clients must show a certificate that one of these signed; '' = none is asked for. */
  clientCa: string;
  /** Connections without TLS are ended. */
  required: boolean;
}

/** First byte of a TLS handshake. Neither syslog, GELF, msgpack of a forward message nor HTTP begins with it. */
export const tlsHandshakeByte = 0x16;
const handshakeMs = 10_000;
const firstByteMs = 30_000;

/** `section` of the configuration that names the files. @throws LogweirError CONFIG_INVALID */
export function tlsServer(tls: Tls, section: 'gateway' | 'receivers', protocols?: string[]): TlsServer {
  try {
    return createServer({
      cert: tls.cert,
      key: tls.key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeMs,
      ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
      ...(tls.clientCa === '' ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
    });
  } catch (cause) {
    throw new LogweirError(
      'CONFIG_INVALID',
      `The certificate or key of the ${section} cannot be used: ${(cause as Error).message}.`,
      `Name PEM files in ${section}.tlsCertFile and ${section}.tlsKeyFile that belong together.`,
      { cause },
    );
  }
}

/**
 * Lets an HTTP server, of either version, take TLS as well. The server goes on listening and counting by itself; only what
 * a connection begins with is looked at before it. To be called before others listen for its connections. Returns what
 * ends connections that have said nothing yet, for which a server that closes would wait.
 * @throws LogweirError CONFIG_INVALID
 */
export function alsoTls(server: Server, tls: Tls, protocols: string[]): () => void {
  const own = server.listeners('connection') as ((socket: Socket) => void)[];
  /** Connections that have said nothing yet, or shake hands, by the client's end. */
  const waiting = new Map<string, Socket>();
  const serve = (socket: Socket): void => {
    for (const listener of own) listener.call(server, socket);
  };
  const secure = tlsServer(tls, 'gateway', protocols);
  secure.on('tlsClientError', (_error, socket) => socket.destroy());
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (socket.destroyed) return;
    const end = endOf(socket);
    waiting.set(end, socket);
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), firstByteMs);
    socket.once('close', () => {
      clearTimeout(timer);
      waiting.delete(end);
    });
    socket.once('readable', () => {
      clearTimeout(timer);
      const first = socket.read() as Buffer | null;
      if (first === null) return;
      socket.unshift(first);
      if (first[0] === tlsHandshakeByte) {
        // Who goes away within the handshake is gone: an HTTP server would leave its half of the connection open.
        socket.allowHalfOpen = false;
        secure.emit('connection', socket);
        return;
      }
      waiting.delete(end);
      if (tls.required && !isLoopback(socket)) socket.destroy();
      else serve(socket);
    });
  });
  secure.on('secureConnection', (socket) => {
    waiting.delete(endOf(socket));
    serve(socket);
  });
  return () => {
    for (const socket of waiting.values()) socket.destroy();
  };
}

const endOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;

/** Probes and commands of this machine, which nobody overhears. */
const isLoopback = ({ remoteAddress = '' }: Socket): boolean => /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress);
