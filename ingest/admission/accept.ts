/**
 * Listening on one port with several sockets: Node's event loop accepts one connection a round and socket, so that beside a
 * thousand new connections, with rounds of 50 ms, the next one waited for 24 s. The kernel spreads connections over them.
 */
import { createServer, type ListenOptions, type Server } from 'node:net';

/** Connections that wait to be accepted, as far as the kernel allows it. */
export const backlogMax = 4_096;
const socketsPerPort = 32;
/** Elsewhere sockets cannot share a port, or the last one gets everything. */
const canShare = process.platform === 'linux';

/** Options for `listen` of a server whose port `acceptMore` is to share; ask `checkFree` before. */
export const sharing: { backlog: number; reusePort?: true } = {
  backlog: backlogMax,
  ...(canShare ? { reusePort: true } : {}),
};

/** A port that is shared would be shared with another gateway, too. @throws EADDRINUSE */
export async function checkFree(host: string, port: number): Promise<void> {
  if (!canShare || port === 0) return;
  const server = createServer();
  await listen(server, { host, port, exclusive: true });
  await new Promise<void>((resolve) => void server.close(() => resolve()));
}

/**
 * More sockets for a port that `server` listens on: what they accept is the server's. Returns the way to close them, which
 * settles when their connections are gone: the server must be closed at the same time, to end those that are idle.
 */
export async function acceptMore(server: Server, host: string, port: number): Promise<() => Promise<void>> {
  if (!canShare) return () => Promise.resolve();
  const others: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(others.map((other) => new Promise<void>((resolve) => void other.close(() => resolve()))));
  };
  for (let i = 1; i < socketsPerPort; i++) {
    const other = createServer({ noDelay: true }, (socket) => void server.emit('connection', socket));
    others.push(other);
    try {
      await listen(other, { host, port, ...sharing });
      other.on('error', () => {});
    } catch {
      // It goes with fewer.
      break;
    }
  }
  return close;
}

function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
