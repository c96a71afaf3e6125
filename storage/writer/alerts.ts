/**
 * ALERTS to the table of alerts. A transition's key is (AlertId, Transition), so storing one again changes nothing:
 * the position is committed after the insert, and that is all it takes.
 */
import type { Bus, Subscription, Time } from '#bus/mod.ts';
import { type AlertTransition, buckets, decodeAlerts, streams } from '#protocol/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { database } from '../schema.ts';
import { alertFields, encodeRows, type Versioned } from './rows.ts';

export interface AlertsWriterOptions {
  bus: Bus;
  clickHouse: ClickHouse;
  time: Time;
  log: { error(message: string): void };
  /** How long transitions wait for more, in ms, default 200. */
  lingerMs?: number;
}

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
  const { bus, clickHouse, time, log } = options;
  const store = await bus.keyValue(buckets.marks);
  const { createdMs } = await bus.streams.info(streams.alerts);
  const known = await readAlertsRecord(bus);
  let position = known?.alertsCreatedMs === createdMs ? known.position : 0;
  let waiting: Versioned<AlertTransition>[] = [];
  let read = position;
  let storing: Promise<void> | null = null;

  const storeWaiting = async (): Promise<void> => {
    // A copy: the reader goes on adding to what waits while these are on their way.
    const rows = waiting.slice();
    const to = read;
    const { structure, chunks } = encodeRows(alertFields, rows);
    await clickHouse.insertNative(
      `${database}.alerts_versions`,
      structure,
      chunks,
      `logweir-alerts-${createdMs}-${position}-${to}`,
    );
    waiting = waiting.slice(rows.length);
    position = to;
    await store.put(
      alertsRecordKey,
      Buffer.from(JSON.stringify({ alertsCreatedMs: createdMs, position } satisfies AlertsRecord)),
    );
  };
  const flush = (): Promise<void> => {
    if (waiting.length === 0) return Promise.resolve();
    storing ??= storeWaiting()
      .catch((error) => log.error(`Alerts could not be stored, trying again: ${messageOf(error)}`))
      .finally(() => {
        storing = null;
      });
    return storing;
  };

  const subscription: Subscription = await bus.streams.consume(streams.alerts, { fromSequence: position + 1 });
  void (async () => {
    for await (const message of subscription) {
      read = message.sequence;
      try {
        for (const row of decodeAlerts(message.data).transitions) {
          waiting.push({ row, generation: 0, partition: 0, version: message.sequence });
        }
      } catch (error) {
        log.error(`ALERTS ${message.sequence} cannot be read: ${messageOf(error)}`);
      }
    }
  })().catch((error) => log.error(`The ALERTS subscription ended: ${messageOf(error)}`));
  const stopFlushing = time.every(options.lingerMs ?? 200, () => void flush());
  return {
    stop: async () => {
      stopFlushing();
      await subscription.stop();
      await storing;
      await flush();
    },
  };
}
