/**
 * The gateway's listening receivers: their sockets in front of one publisher of their own. Senders over sockets cannot be
 * told to come again, so nothing is given up while the process runs: when the stream takes nothing the publisher fills,
 * connections are not read and wait, and datagrams are dropped and counted.
 */
import { type Bus, type DeadLetters, sleep, type Time } from '#bus/mod.ts';
import { LogweirError, liveLane } from '#protocol/mod.ts';
import { BatchPublisher } from './batch-publisher.ts';
import { Listener } from './listener.ts';
import {
  type ListenerCounts,
  type ListenerLimits,
  type ListeningName,
  type ListeningSettings,
  listenerLimits,
  noListenerCounts,
} from './listening.ts';
import type { Gate } from './pipeline/gate.ts';
import { listeningReceivers } from './receivers/mod.ts';
import { listenToNats } from './receivers/nats.ts';
import { RecordSink, type SinkQuotas } from './record-sink.ts';
import type { Tls } from './tls.ts';

export interface SocketsOptions {
  bus: Bus;
  partitions: number;
  host: string;
  /** Receivers that are open, and where; port 0 takes any free one. */
  ports: Partial<
    Record<ListeningName, { port: number /** The others go on without it then. */; mayBeTaken?: boolean }>
  >;
  time: Time;
  /** Unique to this process and start; not the gateway's own. */
  id: string;
  pendingBytesMax: number;
  limits?: Partial<ListenerLimits>;
  tls?: Tls | undefined;
  settings: ListeningSettings;
  /** Take logs from NATS subjects too. */
  nats?: boolean;
  /** Where what cannot be taken goes, default nowhere. */
  dead?: DeadLetters;
  /** What records pass on their way, default nothing. */
  gate?: Gate;
  /** What sources and services may send in a second, default all they like. */
  quotas?: SinkQuotas;
}

/** Share of what may be pending that datagrams may fill. */
const datagramShare = 0.75;
/** How long `stop` waits for the stream, ms. */
const stopMs = 8_000;
const lookEveryMs = 20;

interface Open {
  name: ListeningName;
  listener: Listener;
  counts: ListenerCounts;
}

export class Sockets {
  readonly publisher: BatchPublisher;
  private readonly options: SocketsOptions;
  private open: Open[] = [];
  private readonly natsCounts = noListenerCounts();
  private stopNats: () => void = () => {};

  constructor(options: SocketsOptions) {
    this.options = options;
    const { bus, partitions, time, id, pendingBytesMax, ports, host } = options;
    this.publisher = new BatchPublisher({
      bus,
      partitions,
      lane: liveLane,
      source: 'socket',
      time,
      publisherId: id,
      pendingBytesMax,
      giveUpAfterMs: Number.POSITIVE_INFINITY,
    });
    const limits = { ...listenerLimits, ...options.limits };
    const common = { publisher: this.publisher, time, dead: options.dead, quotas: options.quotas, gate: options.gate };
    for (const receiver of listeningReceivers) {
      const wanted = ports[receiver.name];
      if (wanted === undefined) continue;
      const counts = noListenerCounts();
      const sink = new RecordSink({ ...common, counts, receiver: receiver.name });
      const listener = new Listener({
        name: receiver.name,
        host,
        port: wanted.port,
        udp: receiver.udp,
        listening: receiver.open(sink, options.settings),
        counts,
        limits,
        tls: options.tls,
        time,
        full: () => this.publisher.full,
        mustWait: (address) => sink.mustWait(address) !== '',
        countWait: (address) => sink.countWait(sink.mustWait(address)),
        fullForDatagrams: (address) =>
          this.publisher.pendingBytes >= pendingBytesMax * datagramShare || sink.mustWait(address) !== '',
      });
      this.open.push({ name: receiver.name, listener, counts });
    }
  }

  /** Where the receivers listen. */
  get ports(): Partial<Record<ListeningName, number>> {
    return Object.fromEntries(this.open.map(({ name, listener }) => [name, listener.port]));
  }

  counts(name: ListeningName): ListenerCounts {
    return this.open.find((one) => one.name === name)?.counts ?? noListenerCounts();
  }

  /** Metrics by name: `syslogRecords`, `syslogConnectionsNow` … */
  counters(): Record<string, number> {
    const result: Record<string, number> = {};
    for (const { name, listener, counts } of this.open) {
      for (const [key, value] of Object.entries(counts))
        result[`${name}${key.charAt(0).toUpperCase()}${key.slice(1)}`] = value as number;
      result[`${name}ConnectionsNow`] = listener.connectionsNow;
    }
    if (this.options.nats === true) {
      const { records, bytes, malformed, tooLong, dropped, failures, overShare, overQuota } = this.natsCounts;
      Object.assign(result, {
        natsRecords: records,
        natsBytes: bytes,
        natsMalformed: malformed,
        natsTooLong: tooLong,
        natsDropped: dropped,
        natsFailures: failures,
        natsOverShare: overShare,
        natsOverQuota: overQuota,
      });
    }
    return result;
  }

  /**
   * Opens the ports. Resolves to those that were taken and might be.
   * @throws LogweirError PORT_TAKEN | CONFIG_INVALID
   */
  async start(): Promise<{ name: ListeningName; port: number }[]> {
    const taken: { name: ListeningName; port: number }[] = [];
    for (const one of this.open) {
      try {
        await one.listener.start();
      } catch (error) {
        const mayBe = error instanceof LogweirError && error.code === 'PORT_TAKEN';
        if (!mayBe || this.options.ports[one.name]?.mayBeTaken !== true) throw error;
        taken.push({ name: one.name, port: one.listener.port });
      }
    }
    this.open = this.open.filter(({ name }) => !taken.some((gone) => gone.name === name));
    if (this.options.nats === true)
      this.stopNats = listenToNats(
        this.options.bus,
        new RecordSink({
          publisher: this.publisher,
          counts: this.natsCounts,
          time: this.options.time,
          receiver: 'nats',
          dead: this.options.dead,
          quotas: this.options.quotas,
          gate: this.options.gate,
        }),
      );
    return taken;
  }

  /** Takes nothing more, and waits a while until the stream has what came. */
  async stop(): Promise<void> {
    const { time } = this.options;
    this.stopNats();
    await Promise.all(this.open.map(({ listener }) => listener.stop()));
    this.publisher.flush();
    const deadline = time.now() + stopMs;
    while (this.publisher.pendingBytes > 0 && time.now() < deadline) await sleep(time, lookEveryMs);
    this.publisher.abandon();
  }
}
