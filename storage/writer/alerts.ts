/**
 * ALERTS to the tables of alerts and incidents. A transition's key is (AlertId, Transition), and the last version of an
 * incident is the last in the stream, so storing one again changes nothing:
 * the position is committed after the insert, and that is all it takes. A stream that was made anew, or lost its tail,
 * is read from its beginning for the same reason.
 */
import { type Bus, sleep, type Subscription, type Time } from '#bus/mod.ts';
import { type AlertTransition, buckets, decodeAlerts, type IncidentVersion, streams } from '#protocol/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { database } from '../schema.ts';
import type { TableInsert } from './block.ts';
import { Abandoned, Inserter, Refused } from './insert.ts';
import { alertFields, encodeRows, incidentFields, type Versioned } from './rows.ts';

export interface AlertsWriterOptions {
  bus: Bus;
  clickHouse: ClickHouse;
  time: Time;
  log: { info(message: string): void; error(message: string): void };
  /** How long transitions wait for more, in ms, default 200. */
  lingerMs?: number;
  /** First and longest pause before a failed insert is tried again, in ms, default 250 and 10_000. */
  retryMs?: { first: number; max: number };
  /** How often the stream is looked at (made anew? cut short?), in ms, default 5_000. */
  watchMs?: number;
}

/** Transitions held at most; further ones stay in the stream while ClickHouse is away. */
const waitingMax = 5_000;
const roomEveryMs = 50;

export interface AlertsWriter {
  /** Stores what was taken, ends. */
  stop(): Promise<void>;
}

interface AlertsRecord {
  alertsCreatedMs: number;
  /** ALERTS sequence up to which all is stored; the stream may be purged so far. */
  position: number;
}

export const alertsRecordKey = 'writer.alerts';

export async function readAlertsRecord(bus: Bus): Promise<AlertsRecord | null> {
  const entry = await (await bus.keyValue(buckets.marks)).get(alertsRecordKey);
  return entry === null ? null : (JSON.parse(Buffer.from(entry.value).toString()) as AlertsRecord);
}

export async function startAlertsWriter(options: AlertsWriterOptions): Promise<AlertsWriter> {
  const writer = new Shell(options);
  await writer.open();
  return writer;
}

class Shell implements AlertsWriter {
  private readonly options: AlertsWriterOptions;
  private readonly inserter: Inserter;
  private createdMs = 0;
  private position = 0;
  private read = 0;
  private waiting: Versioned<Told>[] = [];
  private storing: Promise<void> | null = null;
  private subscription: Subscription | null = null;
  private cancels: (() => void)[] = [];
  private stopping = false;

  constructor(options: AlertsWriterOptions) {
    const { clickHouse, time, log } = options;
    this.options = options;
    this.inserter = new Inserter({
      clickHouse,
      time,
      log,
      retryMs: options.retryMs ?? { first: 250, max: 10_000 },
      confirm: async () => {},
      ended: () => this.stopping,
    });
  }

  async open(): Promise<void> {
    const { bus, time, lingerMs = 200, watchMs = 5_000 } = this.options;
    const { createdMs, lastSequence } = await bus.streams.info(streams.alerts);
    const known = await readAlertsRecord(bus);
    const same = known?.alertsCreatedMs === createdMs && known.position <= lastSequence;
    this.createdMs = createdMs;
    this.position = same ? known.position : 0;
    this.follow(await this.subscribe());
    this.cancels.push(
      time.every(lingerMs, () => void this.flush()),
      time.every(watchMs, () => void this.watch()),
    );
  }

  private subscribe(from = this.position + 1): Promise<Subscription> {
    return this.options.bus.streams.consume(streams.alerts, { fromSequence: from });
  }

  /** What was read and is not stored is read again. */
  private follow(subscription: Subscription): void {
    const { log } = this.options;
    this.read = this.position;
    this.subscription = subscription;
    void this.readAll(subscription).catch((error) => log.error(`The ALERTS subscription ended: ${messageOf(error)}`));
  }

  private async readAll(subscription: Subscription): Promise<void> {
    const { time, log } = this.options;
    for await (const message of subscription) {
      if (this.subscription !== subscription) return;
      this.read = message.sequence;
      try {
        const { transitions, incidents = [] } = decodeAlerts(message.data);
        for (const row of [...transitions, ...incidents])
          this.waiting.push({ row, generation: 0, partition: 0, version: message.sequence });
      } catch (error) {
        log.error(`ALERTS ${message.sequence} cannot be read: ${messageOf(error)}`);
      }
      while (this.waiting.length >= waitingMax && !this.stopping) await sleep(time, roomEveryMs);
    }
  }

  private flush(): Promise<void> {
    if (this.read === this.position) return Promise.resolve();
    this.storing ??= this.storeWaiting()
      .catch((error) => {
        if (!(error instanceof Abandoned)) this.inserter.complaint.failed(`Alerts wait: ${messageOf(error)}`);
      })
      .finally(() => {
        this.storing = null;
      });
    return this.storing;
  }

  private async storeWaiting(): Promise<void> {
    // A copy: the reader goes on adding to what waits while these are on their way.
    const rows = this.waiting.slice();
    const { read: to, createdMs, position } = this;
    const token = `logweir-alerts-${createdMs}-${position}-${to}`;
    const of = (incidents: boolean): Versioned<Told>[] => rows.filter(({ row }) => isIncident(row) === incidents);
    await this.store(of(false), token);
    await this.store(of(true), `${token}-incidents`);
    this.waiting = this.waiting.slice(rows.length);
    this.position = to;
    const record: AlertsRecord = { alertsCreatedMs: createdMs, position: to };
    await (await this.options.bus.keyValue(buckets.marks)).put(alertsRecordKey, Buffer.from(JSON.stringify(record)));
  }

  private async store(rows: readonly Versioned<Told>[], token: string): Promise<void> {
    if (rows.length === 0) return;
    try {
      await this.inserter.insert(insertOf(rows), token);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await this.storeOneByOne(rows, token);
    }
  }

  /** A row that ClickHouse never takes must not keep the others out. */
  private async storeOneByOne(rows: readonly Versioned<Told>[], token: string): Promise<void> {
    for (const [index, one] of rows.entries()) {
      try {
        await this.inserter.insert(insertOf([one]), `${token}-${index}`);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { row } = one;
        const what = isIncident(row)
          ? `Incident ${row.incidentId}`
          : `Alert ${row.alertId}, transition ${row.transition}`;
        this.options.log.error(`${what} is set aside. ${error.message}`);
      }
    }
  }

  private async watch(): Promise<void> {
    if (this.storing !== null || this.stopping) return;
    const info = await this.options.bus.streams.info(streams.alerts).catch(() => null);
    if (info === null || (info.createdMs === this.createdMs && info.lastSequence >= this.read)) return;
    // A server that just came back may not give one yet: the next look tries again.
    const subscription = await this.subscribe(1).catch(() => null);
    if (subscription === null) return;
    if (this.storing !== null || this.stopping) return void subscription.stop().catch(() => {});
    this.options.log.info('The ALERTS stream was made anew or cut short; it is read from its beginning.');
    const old = this.subscription;
    this.createdMs = info.createdMs;
    this.position = 0;
    this.follow(subscription);
    await old?.stop().catch(() => {});
  }

  async stop(): Promise<void> {
    for (const cancel of this.cancels.splice(0)) cancel();
    await this.subscription?.stop();
    // What cannot be stored now is in the stream for the next writer.
    this.stopping = this.inserter.complaint.failures > 0;
    await this.storing;
    await this.flush();
    this.stopping = true;
  }
}

type Told = AlertTransition | IncidentVersion;

function isIncident(row: Told): row is IncidentVersion {
  return 'incidentId' in row;
}

/** Rows of one kind. */
function insertOf(rows: readonly Versioned<Told>[]): TableInsert {
  if (rows.some(({ row }) => isIncident(row))) {
    const incidents = rows as readonly Versioned<IncidentVersion>[];
    return { table: `${database}.incidents_versions`, rows: rows.length, ...encodeRows(incidentFields, incidents) };
  }
  const alerts = rows as readonly Versioned<AlertTransition>[];
  return { table: `${database}.alerts_versions`, rows: rows.length, ...encodeRows(alertFields, alerts) };
}
