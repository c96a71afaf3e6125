/**
 * A gateway with every receiver, and what must hold of it whatever comes (H1–H5):
 *
 * H1 Every request is answered, and every connection ends, in time; nothing is answered 500.
 * H2 No exception gets out of a receiver, and no promise is left rejected.
 * H3 Neighbours are kept: a request that is in order is taken, before, beside and after.
 * H4 What is stored can be read by a worker, and nothing is stored of a request inside another.
 * H5 What was held for requests is let go: memory, held bytes and connections come back to what they were.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CollectedDeadLetters } from '#bus/mod.ts';
import { streams } from '#protocol/mod.ts';
import { receiverServers } from '../receivers/mod.ts';
import { listeningNames } from '../listening.ts';
import { openSockets, type World } from '../sockets.fixture.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { closeClients, post, sendDatagrams, talk } from './clients.ts';
import { smuggledService } from './raw-http.ts';
import type { HttpTarget, SocketTarget } from './targets.ts';

/** The process may stand still this long at once: a bomb is unpacked off the main thread, a body of 32 MiB is read on it. */
const stallMsMax = 4_000;
const settleMs = 10_000;
/** Growth of the heap over a run, after a first round has filled memos and pools. */
const heapGrowthBytesMax = 96 * 1024 * 1024;
const residentBytesMax = 1_400 * 1024 * 1024;
const deadLettersKept = 1_000;

export class FuzzWorld {
  readonly gateway: TestGateway;
  readonly sockets: World;
  readonly dead = new CollectedDeadLetters();
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });
  private readonly escaped: unknown[] = [];
  private heapBytes = 0;
  private readonly note = (error: unknown): void => void this.escaped.push(error);

  private constructor(gateway: TestGateway, sockets: World, dead: CollectedDeadLetters) {
    this.gateway = gateway;
    this.sockets = sockets;
    this.dead = dead;
    process.on('unhandledRejection', this.note);
    process.on('uncaughtException', this.note);
    this.delay.enable();
  }

  static async open(): Promise<FuzzWorld> {
    const dead = new CollectedDeadLetters();
    const gateway = await openGateway({
      dead,
      giveUpAfterMs: 8_000,
      receiverPorts: Object.fromEntries(receiverServers.map(({ name }) => [name, { port: 0, mayBeTaken: false }])),
    });
    const ports = Object.fromEntries(listeningNames.map((name) => [name, { port: 0 }]));
    return new FuzzWorld(gateway, await openSockets('syslog', { ports, nats: true, dead }), dead);
  }

  portOf(target: HttpTarget): number {
    return target.port === undefined ? this.gateway.gateway.port : (this.gateway.gateway.ports[target.port] as number);
  }

  /** H3 over HTTP. */
  async neighbour(target: HttpTarget): Promise<void> {
    const { counts } = this.gateway.gateway;
    const before = counts.records;
    const { status, body } = await post(this.portOf(target), target, target.body, target.headers);
    if (status < 200 || status >= 300)
      throw new Error(`a request in order was answered ${status}: ${body.slice(0, 300)}`);
    if (counts.records - before < target.records) throw new Error('a request in order was answered well and not taken');
  }

  /** H3 over a connection of its own, from another address. */
  async socketNeighbour({ receiver, message, records }: SocketTarget): Promise<void> {
    const counts = this.sockets.sockets.counts(receiver);
    const before = counts.records;
    await talk(this.sockets.port(receiver), [message], undefined, '127.0.0.2');
    await within(() => counts.records - before >= records, 'a message in order was not taken');
  }

  async datagrams(receiver: SocketTarget['receiver'], messages: readonly Buffer[]): Promise<void> {
    await sendDatagrams(this.sockets.port(receiver), messages);
  }

  /** H1, H2, H4: after each seed. */
  async check(): Promise<void> {
    const { gateway, sockets } = this;
    await within(
      () => gateway.gateway.publisher.pendingBytes === 0 && sockets.sockets.publisher.pendingBytes === 0,
      'records are still under way',
    );
    for (const record of await gateway.records())
      if (record.service === smuggledService) throw new Error('a request inside another was taken');
    for (const record of await sockets.records())
      if (record.service === smuggledService) throw new Error('a request inside another was taken');
    for (const { streams: of } of [gateway.bus, sockets.bus]) {
      const { lastSequence } = await of.info(streams.logs);
      await of.purge(streams.logs, lastSequence + 1);
    }
    this.dead.letters.splice(0, Math.max(0, this.dead.letters.length - deadLettersKept));
    for (const [name, count] of Object.entries(sockets.sockets.counters()))
      if (name.endsWith('Failures') && count > 0) throw new Error(`a receiver failed by itself: ${name}`);
    const [error] = this.escaped;
    if (error !== undefined)
      throw new Error(
        `an error got out: ${error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)}`,
        { cause: error },
      );
    const stalledMs = this.delay.max / 1e6;
    if (stalledMs > stallMsMax) throw new Error(`the process stood still for ${Math.round(stalledMs)} ms`);
    this.delay.reset();
  }

  /** H5: what is held now is what a healthy gateway holds. */
  settled(): void {
    this.heapBytes = heapBytes();
  }

  /** H5 at the end of a run. */
  async checkHeld(): Promise<{ heapGrowthBytes: number; residentBytes: number }> {
    closeClients();
    const counters = (): Record<string, number> => this.sockets.sockets.counters();
    await within(
      () => listeningNames.every((name) => counters()[`${name}ConnectionsNow`] === 0),
      'connections are still counted',
    );
    await within(
      () => this.gateway.gateway.heldBytes === 0,
      () => `${this.gateway.gateway.heldBytes} bytes of requests are still held`,
    );
    const heapGrowthBytes = heapBytes() - this.heapBytes;
    const residentBytes = process.memoryUsage.rss();
    if (heapGrowthBytes > heapGrowthBytesMax) throw new Error(`the heap grew by ${heapGrowthBytes} bytes`);
    if (residentBytes > residentBytesMax) throw new Error(`the process has ${residentBytes} bytes`);
    return { heapGrowthBytes, residentBytes };
  }

  async close(): Promise<void> {
    this.delay.disable();
    process.off('unhandledRejection', this.note);
    process.off('uncaughtException', this.note);
    closeClients();
    await Promise.all([this.gateway.stop(), this.sockets.stop()]);
  }
}

async function within(isTrue: () => boolean, otherwise: string | (() => string)): Promise<void> {
  const deadline = Date.now() + settleMs;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(typeof otherwise === 'string' ? otherwise : otherwise());
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
