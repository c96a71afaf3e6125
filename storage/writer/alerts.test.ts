import { expect, it, vi } from 'vitest';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import { type AlertTransition, encodeAlerts, streamSubjects, streams, subjects } from '#protocol/mod.ts';
import { clickHouseError } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { readAlertsRecord, startAlertsWriter } from './alerts.ts';

const transition = (alertId: string): AlertTransition => ({
  alertId,
  transition: 1,
  state: 'firing',
  atMs: 1,
  service: 's',
  lane: 'live',
  detector: 'rule',
  subject: '',
  anomalyId: 'a',
  score: 90,
  actual: 1,
  typical: 0,
  description: '',
  groupKey: '',
  channels: [],
  suppressedBy: '',
  receipt: { eventMs: 1, gatewayMs: 1, processingMs: 1, detectedMs: 1 },
});

it('stores what comes while an insert is under way', async () => {
  const bus = new MemoryBus(Date.now);
  const { alerts: name } = streams;
  const settings = { bytesMax: 1e6, replicas: 1, duplicateWindowMs: 1 };
  await bus.streams.ensure({ name, subjects: [streamSubjects[name]], ...settings });
  const publish = (id: string): Promise<unknown> =>
    bus.streams.publish(subjects.alerts(), encodeAlerts({ transitions: [transition(id)] }));
  const inserted: string[] = [];
  const clickHouse = {
    insertNative: async (_table: string, _structure: string, chunks: readonly Uint8Array[]) => {
      if (inserted.length === 0) {
        await publish('second00');
        // Long enough for the reader to have it before this insert ends.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      inserted.push(
        ...(Buffer.concat(chunks)
          .toString('latin1')
          .match(/first000|second00/g) ?? []),
      );
    },
  } as unknown as ClickHouse;
  const log = { info: () => {}, error: vi.fn<(text: string) => void>() };
  await publish('first000');
  const writer = await startAlertsWriter({ bus, clickHouse, time: systemTime, log, lingerMs: 5 });
  await expect.poll(() => inserted).toEqual(['first000', 'second00']);
  await writer.stop();
  expect(await readAlertsRecord(bus)).toMatchObject({ position: 2 });
  expect(log.error).not.toHaveBeenCalled();
});

it('stores the others where one is never taken, and says little while nothing goes in', async () => {
  const bus = new MemoryBus(Date.now);
  const { alerts: name } = streams;
  const settings = { bytesMax: 1e6, replicas: 1, duplicateWindowMs: 1 };
  await bus.streams.ensure({ name, subjects: [streamSubjects[name]], ...settings });
  const stored: string[] = [];
  let away = true;
  const clickHouse = {
    insertNative: async (_table: string, _structure: string, chunks: readonly Uint8Array[]) => {
      const text = Buffer.concat(chunks).toString('latin1');
      if (away) throw clickHouseError('Code: 210. DB::NetException: Connection refused (NETWORK_ERROR)');
      if (text.includes('poison')) throw clickHouseError('Code: 469. DB::Exception: violated (VIOLATED_CONSTRAINT)');
      stored.push(...(text.match(/good\d/g) ?? []));
    },
  } as unknown as ClickHouse;
  const log = { info: () => {}, error: vi.fn<(text: string) => void>() };
  const transitions = ['good1', 'poison', 'good2'].map(transition);
  await bus.streams.publish(subjects.alerts(), encodeAlerts({ transitions }));
  const retryMs = { first: 2, max: 5 };
  const writer = await startAlertsWriter({ bus, clickHouse, time: systemTime, log, lingerMs: 5, retryMs });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(log.error).toHaveBeenCalledTimes(1);
  away = false;
  await expect.poll(() => stored).toEqual(['good1', 'good2']);
  await expect.poll(async () => (await readAlertsRecord(bus))?.position).toBe(1);
  expect(log.error.mock.calls.at(-1)?.[0]).toMatch(/^Alert poison, transition 1 is set aside\..*VIOLATED/);
  await writer.stop();
});

it('reads a stream that was made anew from its beginning, as soon as the server gives a subscription', async () => {
  let createdMs = 1_000;
  const bus = new MemoryBus(() => createdMs);
  const { alerts: name } = streams;
  const settings = { bytesMax: 1e6, replicas: 1, duplicateWindowMs: 1 };
  const open = (): Promise<unknown> => bus.streams.ensure({ name, subjects: [streamSubjects[name]], ...settings });
  await open();
  const stored: string[] = [];
  const clickHouse = {
    insertNative: async (_table: string, _structure: string, chunks: readonly Uint8Array[]) => {
      stored.push(
        ...(Buffer.concat(chunks)
          .toString('latin1')
          .match(/alert\d/g) ?? []),
      );
    },
  } as unknown as ClickHouse;
  const log = { info: () => {}, error: vi.fn<(text: string) => void>() };
  const put = (id: string): Promise<unknown> =>
    bus.streams.publish(subjects.alerts(), encodeAlerts({ transitions: [transition(id)] }));
  const writer = await startAlertsWriter({ bus, clickHouse, time: systemTime, log, lingerMs: 5, watchMs: 10 });
  await put('alert1');
  await expect.poll(() => stored).toEqual(['alert1']);
  const { consume } = bus.streams;
  let refused = 0;
  bus.streams.consume = async (...wanted) => {
    if (refused++ < 2) throw new Error('no answer in time');
    return consume(...wanted);
  };
  createdMs = 2_000;
  (bus as unknown as { byName: Map<string, unknown> }).byName.delete(name);
  await open();
  await put('alert2');
  await expect.poll(() => stored).toEqual(['alert1', 'alert2']);
  await writer.stop();
});
