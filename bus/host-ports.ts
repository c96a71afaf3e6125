/**
 * Ports of this machine for servers that must know theirs before they are started, and have it again when they are started
 * anew. Binding a port for a moment shows that it is free, and leaves a gap until its server binds it: an outgoing
 * connection, or whoever looks for a free port at that moment, took one in a few hundred starts. Hence:
 *
 * P1 A port that nobody named is of a range that the system gives to no outgoing connection.
 * P2 Who takes a port holds it against all other callers of this file, in any process, until it is released or the holding
 *    process ends: through an abstract socket named after it, of which Linux keeps one and forgets it with the process.
 *    Elsewhere only this process knows, and chance keeps others apart.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer, isIPv6 } from 'node:net';
import process from 'node:process';
import { LogweirError } from '#protocol/errors.ts';

export interface PortNeeds {
  /** Addresses that it must be free on, default loopback. */
  hosts?: readonly string[];
  /** For datagrams as well as for connections. */
  datagrams?: boolean;
}

export interface HeldPort {
  port: number;
  release: () => void;
}

const loopback = '127.0.0.1';
const portMax = 65_535;
/** Below the range for outgoing connections of Linux (32768) and macOS (49152), above the ports that servers are known by. */
const usual = { from: 20_000, to: 32_767 };
/** A range under this many ports is too small to choose from. */
const roomMin = 1_000;
const tries = 1_000;
const outgoingRangeFile = '/proc/sys/net/ipv4/ip_local_port_range';

const heldHere = new Set<number>();

/** Takes one port. Undefined where a program listens on it or somebody holds it. */
export async function holdPort(port: number, needs: PortNeeds = {}): Promise<HeldPort | undefined> {
  if (heldHere.has(port)) return undefined;
  heldHere.add(port);
  const guard = await guardOf(port);
  const release = (): void => {
    if (guard !== 'taken') guard.release();
    heldHere.delete(port);
  };
  const free = guard !== 'taken' && (await isFree(port, needs));
  if (free) return { port, release };
  release();
  return undefined;
}

/**
 * Takes a port that nobody uses or holds.
 * @throws LogweirError PORT_TAKEN where none was found
 */
export async function holdAnyPort(needs: PortNeeds = {}, random: () => number = Math.random): Promise<HeldPort> {
  const { from, to } = roomBeside(outgoingRange());
  for (let i = 0; i < tries; i++) {
    const held = await holdPort(from + Math.floor(random() * (to - from + 1)), needs);
    if (held !== undefined) return held;
  }
  throw new LogweirError(
    'PORT_TAKEN',
    `No free port was found from ${from} to ${to}.`,
    'Stop what uses them, or name the ports.',
  );
}

/** A port on loopback that is this process's for as long as it runs. */
export const freePort = async (): Promise<number> => (await holdAnyPort()).port;

/** The largest range to choose from that the system does not take ports for outgoing connections from. */
export function roomBeside(outgoing: { from: number; to: number } | undefined): { from: number; to: number } {
  if (outgoing === undefined) return usual;
  const rooms = [
    { from: usual.from, to: Math.min(outgoing.from - 1, usual.to) },
    { from: outgoing.to + 1, to: portMax },
  ];
  return rooms.find(({ from, to }) => to - from + 1 >= roomMin) ?? usual;
}

function outgoingRange(): { from: number; to: number } | undefined {
  try {
    const [from = 0, to = 0] = readFileSync(outgoingRangeFile, 'utf8').trim().split(/\s+/).map(Number);
    return from > 0 && to >= from ? { from, to } : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves to the way to give it up. */
function guardOf(port: number): Promise<{ release: () => void } | 'taken'> {
  const none = { release: () => {} };
  if (process.platform !== 'linux') return Promise.resolve(none);
  const server = createServer((socket) => socket.destroy());
  // It must not keep a process alive that is done.
  server.unref();
  return new Promise((resolve) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRINUSE' ? 'taken' : none));
    server.listen(`\0logweir-port-${port}`, () => resolve({ release: () => void server.close() }));
  });
}

async function isFree(port: number, { hosts = [loopback], datagrams = false }: PortNeeds): Promise<boolean> {
  for (const host of hosts)
    if (!(await bindsTcp(host, port)) || (datagrams && !(await bindsUdp(host, port)))) return false;
  return true;
}

function bindsTcp(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => void server.close(() => resolve(true)));
  });
}

function bindsUdp(host: string, port: number): Promise<boolean> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ address: host, port, exclusive: true }, () => void socket.close(() => resolve(true)));
  });
}
