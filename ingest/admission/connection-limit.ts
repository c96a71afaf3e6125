/** Connections of HTTP ports, in all and by address: those over it are ended at once, and counted. */
import type { Server, Socket } from 'node:net';

export class ConnectionLimit {
  private readonly max: number;
  private readonly perAddressMax: number;
  private readonly byAddress = new Map<string, number>();
  private readonly sockets = new Set<Socket>();
  refused = 0;

  constructor(max: number, perAddressMax: number) {
    this.max = max;
    this.perAddressMax = perAddressMax;
  }

  get now(): number {
    return this.sockets.size;
  }

  /** Ends connections on which nothing came yet. */
  endSilent(): void {
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  endAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Before the server's own listener: what is over the limit is gone when that looks. */
  attach(server: Server): void {
    server.prependListener('connection', (socket) => this.accept(socket));
  }

  private accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const own = this.byAddress.get(address) ?? 0;
    if (this.now >= this.max || own >= this.perAddressMax) {
      this.refused++;
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    this.byAddress.set(address, own + 1);
    socket.once('close', () => {
      this.sockets.delete(socket);
      const left = (this.byAddress.get(address) ?? 1) - 1;
      if (left > 0) this.byAddress.set(address, left);
      else this.byAddress.delete(address);
    });
  }
}
