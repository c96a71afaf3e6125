/**
 * A whole cluster in one process: the real roles over the simulated servers, and a supervisor that starts again what
 * ended. Nothing of the roles is re-implemented here.
 */
import { parseAlertingConfig, type RunningAlerting, runAlerting } from '#alerting/mod.ts';
import { type Bus, openCluster } from '#bus/mod.ts';
import { Coordinator } from '#coordinator/mod.ts';
import { type Heartbeat, streams, subjects, unpack } from '#protocol/mod.ts';
import type { ClickHouse, Writer } from '#storage/mod.ts';
import { startAlertsWriter, startWriter } from '#storage/writer/mod.ts';
import { Worker } from '#workers/mod.ts';
import { ClickHouseServer } from './clickhouse.ts';
import { Connection, fair, type Weather } from './connection.ts';
import { DeliveryServer } from './delivery.ts';
import { SimGateway } from './gateway.ts';
import { type Clock, Process } from './process.ts';
import { Server } from './server.ts';
import type { Size } from './sizes.ts';
import { storedRows } from './stored-rows.ts';
import { startMs, type World } from './world.ts';

export type RoleName = 'coordinator' | 'worker' | 'storage' | 'alerting' | 'gateway';

/** What a test breaks on purpose, to see it caught. */
export interface Sabotage {
  /** Stands between a role and its connection. */
  bus?: (role: RoleName, bus: Bus) => Bus;
  clickHouse?: (port: ClickHouse) => ClickHouse;
  /** Publishers that a gateway spreads the records of a request over, instead of one. */
  publishers?: number;
  /** Insert tokens that ClickHouse remembers; 0 = none. */
  tokens?: number;
}

export interface Shape {
  size: Size;
  partitions: number;
  coordinators: number;
  workers: number;
  gateways: number;
  /** ClickHouse lives in the storage process and dies with it. */
  embedded: boolean;
  /** A process that is started again has the name it had. */
  sameNames: boolean;
}

/** A process of the cluster and what runs in it. */
export interface Member {
  role: RoleName;
  /** Its place: `worker-2`, whatever process has it now. */
  slot: string;
  process: Process;
  connection: Connection;
  worker?: Worker;
  coordinator?: Coordinator;
  writer?: Writer;
  alerting?: RunningAlerting;
  gateway?: SimGateway;
  /** Ends in order. */
  stop: (() => Promise<void>) | null;
  stopping: boolean;
  /** When another takes the slot of one that has left; null = none does. */
  backAfterMs: number | null;
}

const insertTokens = 300;
/** A role that ended is started again after this long. */
const restartMs = 500;

const alertingConfig = parseAlertingConfig({
  resolveAfterMs: 5_000,
  channels: [{ name: 'hook', type: 'webhook', url: 'http://receiver.invalid/', perMinuteMax: 1_000 }],
});

/** No thread: a simulation has one. */
const plainCodec = { compress: async (bytes: Uint8Array) => bytes, uncompress: async (bytes: Uint8Array) => bytes };

export class Cluster {
  readonly world: World;
  readonly shape: Shape;
  readonly server: Server;
  readonly clickHouse: ClickHouseServer;
  readonly delivery: DeliveryServer;
  /** By slot: the process that has it now. */
  readonly members = new Map<string, Member>();
  /** Paused processes whose slot another has by now. */
  readonly zombies: Member[] = [];
  private readonly sabotage: Sabotage;
  /** LOGS lost messages that it had acknowledged: there is no whole recorded stream to compare with. */
  lossy = false;
  /** When RESULTS lost messages that it had acknowledged; from then on it may not hold what readers have. */
  lostResultsMs: number | null = null;
  /** Nothing starts any more. */
  ending = false;
  private incarnations = 0;
  private readonly absent = new Set<string>();
  /** The newest heartbeat of each process, the newest last. */
  private readonly beats = new Map<string, Uint8Array>();

  constructor(world: World, shape: Shape, sabotage: Sabotage) {
    this.world = world;
    this.shape = shape;
    this.sabotage = sabotage;
    this.server = new Server(world);
    this.clickHouse = new ClickHouseServer(world, sabotage.tokens ?? insertTokens);
    this.delivery = new DeliveryServer(world);
    this.server.listen({
      pattern: subjects.heartbeats,
      hear: (data, subject) => {
        // Told of by several while a partition moves: the newest word counts.
        this.beats.delete(subject);
        this.beats.set(subject, data);
      },
    });
  }

  /** A partition of which LOGS has messages of before a moment that are not read, as workers tell; or null. */
  unread(beforeMs: number): number | null {
    const readTo = new Map<number, number>();
    for (const beat of this.beats.values()) {
      const { role, partitions } = unpack(beat) as Heartbeat;
      if (role === 'worker') for (const { partition, sequence } of partitions) readTo.set(partition, sequence);
    }
    for (let partition = 0; partition < this.shape.partitions; partition++) {
      const messages = this.server.stream(streams.logs).bySubject.get(subjects.logs(partition)) ?? [];
      const newest = messages.findLast(({ timeMs }) => timeMs <= beforeMs);
      if (newest !== undefined && newest.sequence > (readTo.get(partition) ?? 0)) return partition;
    }
    return null;
  }

  start(): void {
    const { coordinators, workers, gateways } = this.shape;
    for (let i = 1; i <= coordinators; i++) this.launch('coordinator', `coordinator-${i}`);
    for (let i = 1; i <= workers; i++) this.launch('worker', `worker-${i}`);
    for (let i = 1; i <= gateways; i++) this.launch('gateway', `gateway-${i}`);
    this.launch('storage', 'storage');
    this.launch('alerting', 'alerting');
  }

  of(role: RoleName): Member[] {
    return [...this.members.values()].filter((member) => member.role === role);
  }

  /** All that live, zombies included: who woke in time may have kept what it had. */
  living(role: RoleName): Member[] {
    return [...this.of(role), ...this.zombies.filter((one) => one.role === role && one.process.alive)];
  }

  /** A process of its own with a clock of its own, as each machine has. */
  newProcess(name: string): Process {
    const { random } = this.world;
    const clock: Clock = { skewMs: random.below(600) - 300, drift: (random.below(400) - 200) / 1_000_000 };
    return new Process(this.world, name, clock);
  }

  launch(role: RoleName, slot: string): void {
    if (this.ending) return;
    this.absent.delete(slot);
    const number = ++this.incarnations;
    const name = this.shape.sameNames ? slot : `${slot}.${number}`;
    const process = this.newProcess(name);
    const connection = new Connection(this.server, process);
    const member: Member = { role, slot, process, connection, stop: null, stopping: false, backAfterMs: null };
    this.members.set(slot, member);
    this.world.note(name, 'starts');
    process.enter(() => {
      this.run(member, `${slot}.${number}`).catch((error: Error) => this.ended(member, error));
    });
  }

  private async run(member: Member, unique: string): Promise<void> {
    const { role, process, connection } = member;
    const { time, host, name: id } = process;
    const bus = this.sabotage.bus?.(role, connection) ?? connection;
    const log = (text: string): void => this.world.note(id, 'says', text);
    const { facts, store } = await openCluster(bus, { partitions: this.shape.partitions });
    switch (role) {
      case 'coordinator': {
        const { analysis } = this.shape.size;
        const coordinator = new Coordinator({ bus, store, id, analysis, retainLogs: false, time, log });
        member.coordinator = coordinator;
        await coordinator.start();
        member.stop = () => coordinator.stop();
        return;
      }
      case 'worker': {
        const { checkpointEveryMs } = this.shape.size;
        const worker = await Worker.start({ bus, store, facts, id, time, log, host, checkpointEveryMs });
        member.worker = worker;
        member.stop = () => worker.drain();
        return;
      }
      case 'storage': {
        const port = this.clickHouse.open(process, this.shape.embedded);
        const clickHouse = this.sabotage.clickHouse?.(port) ?? port;
        const stored = storedRows(this.clickHouse, process);
        const quiet = { info: log, warn: log, error: log };
        const alerts = await startAlertsWriter({ bus, clickHouse, time, log: quiet });
        const writer = await startWriter({ bus, clickHouse, stored, time, log: quiet, owner: unique });
        member.writer = writer;
        member.stop = async () => {
          await writer.drain();
          await alerts.stop();
        };
        writer.done.catch((error: Error) => this.ended(member, error));
        return;
      }
      case 'alerting': {
        const alerting = await runAlerting({
          bus,
          redisUrl: '',
          config: alertingConfig,
          time,
          publicUrl: 'http://page.invalid',
          log,
          owner: unique,
          codec: plainCodec,
          checkpointEveryMs: 1_000,
          openDelivery: (options) => this.delivery.open(process, options),
        });
        member.alerting = alerting;
        member.stop = () => alerting.stop();
        alerting.failed.catch((error: Error) => this.ended(member, error));
        return;
      }
      case 'gateway':
        member.gateway = new SimGateway({
          bus,
          time,
          partitions: facts.partitions,
          id: unique,
          publishers: this.sabotage.publishers ?? 1,
        });
        return;
    }
  }

  /** A role could not go on: its process exits, and the supervisor starts another. */
  private ended(member: Member, error: Error): void {
    if (!member.process.alive) return;
    this.world.note(member.process.name, 'exits:', error.message);
    this.kill(member, restartMs);
  }

  /** Ends a process at once; everything it knew is gone. Another takes its slot after `downMs`. */
  kill(member: Member, downMs: number): void {
    if (!member.process.alive) return;
    this.world.note(member.process.name, 'is killed');
    member.process.kill();
    member.connection.break();
    member.gateway?.reset();
    if (this.members.get(member.slot) !== member) return;
    this.members.delete(member.slot);
    const backMs = member.stopping ? member.backAfterMs : downMs;
    if (backMs === null) return;
    this.absent.add(member.slot);
    this.world.after(backMs, () => {
      if (this.absent.has(member.slot)) this.launch(member.role, member.slot);
    });
  }

  /** Ends in order. Settles when it has ended; another takes its slot after `backAfterMs`, if at all. */
  async leave(member: Member, backAfterMs: number | null = null): Promise<void> {
    if (member.stopping) return;
    this.world.note(member.process.name, 'leaves');
    member.stopping = true;
    member.backAfterMs = backAfterMs;
    const { stop } = member;
    // One that still starts has nothing to end.
    if (stop === null) return this.kill(member, 0);
    await new Promise<void>((resolve) => {
      member.process.enter(() => {
        stop().then(resolve, (error: Error) => {
          this.world.note(member.process.name, 'could not end in order:', error.message);
          resolve();
        });
      });
    });
    this.kill(member, 0);
  }

  /** Freezes a process. Replaced, it is a zombie when it wakes: another has its slot. */
  freeze(member: Member, ms: number, replaced: boolean): void {
    if (!member.process.alive || member.process.paused) return;
    this.world.note(member.process.name, replaced ? 'freezes, and is replaced' : 'freezes', ms);
    member.process.pause();
    if (replaced) {
      this.zombies.push(member);
      this.members.delete(member.slot);
      this.launch(member.role, member.slot);
    }
    this.world.after(ms, () => {
      if (!member.process.alive) return;
      this.world.note(member.process.name, 'wakes');
      member.process.resume();
    });
  }

  setWeather(weather: Weather = fair): void {
    for (const { connection } of [...this.members.values(), ...this.zombies]) connection.weather = weather;
  }

  breakAll(): void {
    const live = [...this.members.values(), ...this.zombies].filter(({ process }) => process.alive);
    for (const { connection } of live) connection.break();
    this.world.after(250, () => {
      for (const { connection, process } of live) if (process.alive) connection.mend();
    });
  }

  get elapsedMs(): number {
    return this.world.nowMs - startMs;
  }
}
