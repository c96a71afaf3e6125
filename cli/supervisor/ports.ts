/** Chooses the ports of a cluster on this machine: the default or the next free one; a port asked for must be free. */
import { createServer } from 'node:net';
import { LogweirError } from '#protocol/errors.ts';
import type { LoadedConfig } from '../config/mod.ts';

/** Ports of one machine's cluster, by their key in the `ports` section. */
export type PortName = 'api' | 'gateway' | 'clickhouse' | 'nats' | 'redis';
export type Ports = Record<PortName, number>;

export interface PortChoice {
  ports: Ports;
  /** Sentences about ports that were moved. */
  notices: string[];
}

/** How many ports above the default are tried. */
const tries = 100;

/**
 * @param names ports that are needed; others keep their configured number
 * @param isFree whether a port can be bound, and 0 → any free port
 * @throws LogweirError PORT_TAKEN
 */
export async function choosePorts(
  loaded: Pick<LoadedConfig, 'config' | 'isSet' | 'origin'>,
  names: readonly PortName[],
  probe: (port: number) => Promise<number | undefined>,
): Promise<PortChoice> {
  const { api, gateway, clickhouse, nats, redis } = loaded.config.ports;
  const ports: Ports = { api, gateway, clickhouse, nats, redis };
  const notices: string[] = [];
  const asked = names.filter((name) => loaded.isSet(`ports.${name}`) && ports[name] !== 0);
  const chosen = new Set(asked.map((name) => ports[name]));
  for (const name of asked) {
    if ((await probe(ports[name])) === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `Port ${ports[name]} for ${name} (${loaded.origin(`ports.${name}`)}) is used by another program.`,
        `Stop that program, choose another port with --port-${name}, or leave it out and Logweir takes a free one.`,
      );
    }
  }
  for (const name of names.filter((other) => !asked.includes(other))) {
    const wanted = ports[name];
    const port = await nextFree(wanted, chosen, probe);
    if (port === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `No port from ${wanted} to ${wanted + tries - 1} is free for ${name}.`,
        `Stop what uses them, or choose a port with --port-${name}.`,
      );
    }
    if (wanted !== 0 && port !== wanted) notices.push(`Port ${wanted} is taken; ${name} uses ${port}.`);
    chosen.add(port);
    ports[name] = port;
  }
  return { ports, notices };
}

async function nextFree(
  wanted: number,
  chosen: ReadonlySet<number>,
  probe: (port: number) => Promise<number | undefined>,
): Promise<number | undefined> {
  for (let offset = 0; offset < tries; offset++) {
    const candidate = wanted === 0 ? 0 : wanted + offset;
    if (candidate > 65_535) return undefined;
    if (chosen.has(candidate)) continue;
    const port = await probe(candidate);
    if (port !== undefined && !chosen.has(port)) return port;
  }
  return undefined;
}

/** Binds a port for a moment. Resolves to the port, or to undefined where it is taken. */
export function probePort(host: string): (port: number) => Promise<number | undefined> {
  return (port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(undefined));
      server.listen({ port, host, exclusive: true }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
      });
    });
}
