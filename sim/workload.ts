/**
 * What clients send: a few services over few partitions, bursts of errors, late records, requests with an
 * Idempotency-Key that are repeated through any gateway until they are answered, and one file's worth of old records.
 */
import type { LogRecord } from '#protocol/mod.ts';
import { Connection } from './connection.ts';
import type { Cluster } from './cluster.ts';
import { SimGateway } from './gateway.ts';
import type { Size } from './sizes.ts';

export const services = ['auth', 'cart', 'checkout', 'payments'];
export const ingestLane = 'ingest-1';

/** One record as its client knows it. */
export interface Sent {
  id: number;
  client: number;
  service: string;
  /** Counts the requests of a client. */
  request: number;
  keyed: boolean;
  acknowledged: boolean;
}

const answerWithinMs = 10_000;

const calm = [
  (id: number) => `request ${id} served in ${10 + (id % 37)} ms`,
  (id: number) => `session ${id} opened for user u${id % 11}`,
];
const bad = [
  (id: number) => `request ${id} failed: connection refused by upstream`,
  (id: number) => `timeout after ${id} ms waiting for database`,
  (id: number) => `retries exhausted for job ${id}, giving up`,
];

export class Workload {
  readonly sent: Sent[] = [];
  /** Clients that have not finished. */
  running = 0;
  /** Bodies carry it, so that a stored row is known again. */
  private nextId = 100_001;
  private readonly cluster: Cluster;
  private readonly size: Size;
  private readonly services: readonly string[];
  private readonly endMs: number;
  /** [service, from, to] in ms of the simulation: times of trouble. */
  private readonly bursts: [string, number, number][] = [];

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.size = cluster.shape.size;
    this.services = services.slice(0, this.size.services);
    const { loadFromMs: fromMs, loadMs } = this.size;
    const endMs = fromMs + loadMs;
    this.endMs = endMs;
    const { random } = cluster.world;
    for (let i = 0; i < 3; i++) {
      const at = fromMs + (endMs - fromMs) * (0.3 + random.next() * 0.6);
      this.bursts.push([random.pick(this.services), at, at + 1_000 + random.below(3_000)]);
    }
    for (let client = 0; client < this.size.clients; client++) this.begin(fromMs, () => this.client(client));
    const ingestAtMs = fromMs + random.below(endMs - fromMs);
    if (random.next() < this.size.fileChance) this.begin(ingestAtMs, () => this.ingest());
  }

  private begin(atMs: number, run: () => Promise<void>): void {
    this.running++;
    this.cluster.world.after(atMs, () => {
      run().then(
        () => this.running--,
        (error: Error) => this.cluster.world.failures.push(`A client failed: ${error.stack}`),
      );
    });
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.cluster.world.after(ms, resolve);
    });
  }

  private record(service: string): { id: number; record: LogRecord } {
    const { world } = this.cluster;
    const { random } = world;
    const id = this.nextId++;
    const elapsedMs = this.cluster.elapsedMs;
    const burst = this.bursts.some(([name, from, to]) => name === service && elapsedMs >= from && elapsedMs < to);
    const failed = burst ? random.next() < 0.8 : random.next() < 0.02;
    const late = random.next() < 0.04 ? random.below(15_000) : random.below(200);
    const body = random.pick(failed ? bad : calm)(id);
    return {
      id,
      record: {
        service,
        body,
        timeMs: Math.floor(world.nowMs - late),
        severityNumber: failed ? 17 : random.next() < 0.1 ? 0 : 9,
        severityText: failed ? 'ERROR' : 'INFO',
      },
    };
  }

  /** One request at a time, so that order is promised. */
  private async client(client: number): Promise<void> {
    const { world } = this.cluster;
    const { random } = world;
    for (let request = 0; this.cluster.elapsedMs < this.endMs; request++) {
      const keyed = random.next() < 0.7;
      const size = 1 + random.below(random.next() < 0.1 ? 24 : 5);
      const made = Array.from({ length: size }, () => {
        const service = random.pick(this.services);
        const { id, record } = this.record(service);
        const sent: Sent = { id, client, service, request, keyed, acknowledged: false };
        this.sent.push(sent);
        return { sent, record };
      });
      const records = made.map(({ record }) => record);
      const key = keyed ? `c${client}r${request}` : '';
      for (;;) {
        if (await this.attempt(records, key)) {
          for (const { sent } of made) sent.acknowledged = true;
          break;
        }
        if (!keyed) break;
        await this.sleep(100 + random.below(900));
      }
      await this.sleep(100 + random.below(this.size.pauseMsMax));
    }
  }

  private async attempt(records: LogRecord[], key: string): Promise<boolean> {
    const { world } = this.cluster;
    const { random } = world;
    await this.sleep(0.2 + random.below(8) / 8);
    const members = this.cluster.of('gateway');
    if (members.length === 0) return false;
    const { gateway, process } = random.pick(members);
    if (gateway === undefined) return false;
    return new Promise((resolve) => {
      world.after(answerWithinMs, () => resolve(false));
      process.enter(() => {
        gateway.request(records, key).then(
          () => world.after(0.3, () => resolve(true)),
          () => world.after(0.3, () => resolve(false)),
        );
      });
    });
  }

  /** What `logweir ingest` does with files: a lane of its own, and its end. Days of event time in a moment. */
  private async ingest(): Promise<void> {
    const { cluster } = this;
    const { world } = cluster;
    const process = cluster.newProcess('ingest');
    const bus = new Connection(cluster.server, process);
    const { partitions } = cluster.shape;
    const job = new SimGateway({ bus, time: process.time, partitions, id: 'ingest', publishers: 1, lane: ingestLane });
    const dayMs = 86_400_000;
    const { fileStepMs } = this.size;
    for (let part = 0; part < 3; part++) {
      const made = Array.from({ length: this.size.fileRecords }, (_, at) => {
        const { id, record } = this.record(this.services[part % 2] as string);
        const timeMs = Math.floor(world.nowMs - 400 * dayMs + part * fileStepMs + at * 700);
        const sent: Sent = {
          id,
          client: this.size.clients,
          service: record.service as string,
          request: part,
          keyed: false,
          acknowledged: false,
        };
        this.sent.push(sent);
        return { sent, record: { ...record, timeMs } };
      });
      const records = made.map(({ record }) => record);
      const taken = await job.request(records, '').then(
        () => true,
        () => false,
      );
      // The command ends with an error; its lane stays open.
      if (!taken) return;
      for (const { sent } of made) sent.acknowledged = true;
      await this.sleep(world.random.below(500));
    }
    await job.end(ingestLane).catch(() => {});
  }
}

/** The id in a stored body. */
export function idIn(body: string): number {
  return Number(/\d{6,}/.exec(body)?.[0]);
}
