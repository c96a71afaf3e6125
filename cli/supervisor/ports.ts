/** Chooses the ports of a cluster on this machine: the default or the next free one; a port asked for must be free. */
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

/**
 * Takes a port, for datagrams as well where asked, so that nobody is given it again; 0 takes any. Resolves to the port, or to
 * undefined where somebody has it.
 */
export type TakePort = (port: number, datagrams: boolean) => Promise<number | undefined>;

/** Ports that take datagrams as well. */
const datagramPorts: readonly PortName[] = ['syslog', 'gelf', 'forward'];
/** How many ports above the default are tried. */
const tries = 100;
const portMax = 65_535;

/**
 * @param names ports that are needed; others keep their configured number
 * @throws LogweirError PORT_TAKEN
 */
export async function choosePorts(
  loaded: Pick<LoadedConfig, 'config' | 'isSet' | 'origin'>,
  names: readonly PortName[],
  take: TakePort,
): Promise<PortChoice> {
  const { bindHost: _host, metrics: _metrics, ...ports } = { ...loaded.config.ports };
  // Who asks for any gateway port runs beside other clusters: the defaults of its receivers are not for it either.
  if (ports.gateway === 0) for (const name of receiverPorts) if (!loaded.isSet(`ports.${name}`)) ports[name] = 0;
  const notices: string[] = [];
  // Those first, so that nothing else moves onto them.
  const asked = names.filter((name) => loaded.isSet(`ports.${name}`) && ports[name] !== 0);
  for (const name of asked) {
    if ((await take(ports[name], datagramPorts.includes(name))) === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `Port ${ports[name]} for ${name} (${loaded.origin(`ports.${name}`)}) is used by another program.`,
        `Stop that program, choose another port with ${settingOf(name)}, or leave it out and Logweir takes a free one.`,
      );
    }
  }
  for (const name of names.filter((other) => !asked.includes(other))) {
    const wanted = ports[name];
    const port = await nextFree(wanted, (candidate) => take(candidate, datagramPorts.includes(name)));
    if (port === undefined) {
      throw new LogweirError(
        'PORT_TAKEN',
        `No port from ${wanted} to ${wanted + tries - 1} is free for ${name}.`,
        `Stop what uses them, or choose a port with ${settingOf(name)}.`,
      );
    }
    if (wanted !== 0 && port !== wanted) notices.push(`Port ${wanted} is taken; ${name} uses ${port}.`);
    ports[name] = port;
  }
  return { ports, notices };
}

/** What sets a port: receivers' have no option of their own. */
const settingOf = (name: PortName): string =>
  receiverPorts.some((other) => other === name) ? environmentName('ports', name) : `--port-${name}`;

async function nextFree(
  wanted: number,
  take: (port: number) => Promise<number | undefined>,
): Promise<number | undefined> {
  if (wanted === 0) return take(0);
  for (let candidate = wanted; candidate < wanted + tries && candidate <= portMax; candidate++)
    if ((await take(candidate)) !== undefined) return candidate;
  return undefined;
}
