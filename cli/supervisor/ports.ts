/** Chooses the ports of a cluster on this machine: the default or the next free one; a port asked for must be free. */
import { createSocket } from 'node:dgram';
import { createServer, isIPv6 } from 'node:net';
import { LogweirError } from '#protocol/errors.ts';
import { type Config, environmentName, type LoadedConfig, receiverPorts } from '../config/mod.ts';

/** Ports of one machine's cluster, by their key in the `ports` section. */
export type PortName = Exclude<keyof Config['ports'], 'bindHost' | 'metrics'>;
export type Ports = Record<PortName, number>;

export interface PortChoice {
  ports: Ports;
  /** Sentences about ports that were moved. */
  notices: string[];
}

/** Resolves to the port, or to undefined where it is taken. */
export type Probe = (port: number, datagrams: boolean) => Promise<number | undefined>;

/** Ports that take datagrams as well. */
const datagramPorts: readonly PortName[] = ['syslog', 'gelf', 'forward'];
/** How many ports above the default are tried. */
const tries = 100;

/**
 * @param names ports that are needed; others keep their configured number
 * @param probe the port if it can be bound, for datagrams as well where asked; 0 → any free port
 * @throws LogweirError PORT_TAKEN
 */
export async function choosePorts(
  loaded: Pick<LoadedConfig, 'config' | 'isSet' | 'origin'>,
  names: readonly PortName[],
  probe: Probe,
): Promise<PortChoice> {
  const { bindHost: _host, metrics: _metrics, ...ports } = { ...loaded.config.ports };
  // Who asks for any gateway port runs beside other clusters: the defaults of its receivers are not for it either.
  if (ports.gateway === 0) for (const name of receiverPorts) if (!loaded.isSet(`ports.${name}`)) ports[name] = 0;
  const notices: string[] = [];
  const asked = names.filter((name) => loaded.isSet(`ports.${name}`) && ports[name] !== 0);
  const chosen = new Set(asked.map((name) => ports[name]));
  for (const name of asked) {
    if ((await probe(ports[name], datagramPorts.includes(name))) === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `Port ${ports[name]} for ${name} (${loaded.origin(`ports.${name}`)}) is used by another program.`,
        `Stop that program, choose another port with ${settingOf(name)}, or leave it out and Logweir takes a free one.`,
      );
    }
  }
  for (const name of names.filter((other) => !asked.includes(other))) {
    const wanted = ports[name];
    const port = await nextFree(wanted, chosen, (candidate) => probe(candidate, datagramPorts.includes(name)));
    if (port === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `No port from ${wanted} to ${wanted + tries - 1} is free for ${name}.`,
        `Stop what uses them, or choose a port with ${settingOf(name)}.`,
      );
    }
    if (wanted !== 0 && port !== wanted) notices.push(`Port ${wanted} is taken; ${name} uses ${port}.`);
    chosen.add(port);
    ports[name] = port;
  }
  return { ports, notices };
}

/** What sets a port: receivers' have no option of their own. */
const settingOf = (name: PortName): string =>
  receiverPorts.some((other) => other === name) ? environmentName('ports', name) : `--port-${name}`;

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
export function probePort(host: string): Probe {
  return async (port, datagrams) => {
    const bound = await bindTcp(host, port);
    return bound === undefined || !datagrams || (await bindsUdp(host, bound)) ? bound : undefined;
  };
}

function bindTcp(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

function bindsUdp(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
