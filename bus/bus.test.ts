import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deadStream, type StreamName, streams } from '#protocol/mod.ts';
import { type Bus, connectNats, MemoryBus } from './mod.ts';
import { natsServerPath, TempNats } from './testing/nats-server.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();

function contract(name: string, start: () => Promise<{ bus: Bus; end: () => Promise<void> }>): void {
  describe(`${name} bus`, () => {
    let bus: Bus;
    let end: () => Promise<void>;
    beforeAll(async () => {
      ({ bus, end } = await start());
      await bus.streams.ensure({
        name: streams.logs,
        subjects: ['logs.*'],
        bytesMax: 100_000,
        replicas: 1,
        duplicateWindowMs: 60_000,
      });
    });
    afterAll(() => end());

    it('numbers messages, recognises repeats, filters and starts anywhere', async () => {
      const first = await bus.streams.publish('logs.1', bytes('a'), { messageId: 'm1' });
      const again = await bus.streams.publish('logs.1', bytes('a'), { messageId: 'm1' });
      expect(again).toEqual({ sequence: first.sequence, duplicate: true });
      await bus.streams.publish('logs.2', bytes('b'));
      await bus.streams.publish('logs.1', bytes('c'));
      const subscription = await bus.streams.consume(streams.logs, { subject: 'logs.1', fromSequence: 1 });
      const seen: string[] = [];
      for await (const message of subscription) {
        seen.push(`${message.sequence}:${text(message.data)}`);
        expect(Number.isInteger(message.timeMs)).toBe(true);
        if (seen.length === 2) await bus.streams.publish('logs.1', bytes('d'));
        if (seen.length === 3) break;
      }
      await subscription.stop();
      expect(seen).toEqual(['1:a', '3:c', '4:d']);
      expect(text((await bus.streams.last(streams.logs, 'logs.2'))?.data)).toBe('b');
      expect(await bus.streams.last(streams.logs, 'logs.9')).toBeNull();
    });

    it('lets go of a subscription that nobody reads', async () => {
      const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
      await expect(subscription.stop()).resolves.toBeUndefined();
    });

    it('delivers many small messages without stalling', async () => {
      const settings = {
        name: streams.alerts,
        subjects: ['alerts.*'],
        bytesMax: 10_000_000,
        replicas: 1,
        duplicateWindowMs: 60_000,
      };
      await bus.streams.ensure(settings);
      for (let i = 0; i < 50; i++)
        await Promise.all(Array.from({ length: 100 }, () => bus.streams.publish('alerts.0', bytes('x'))));
      const subscription = await bus.streams.consume(streams.alerts, { fromSequence: 1 });
      let count = 0;
      for await (const message of subscription) if (message.data.length === 1 && ++count === 5_000) break;
      await subscription.stop();
      expect(count).toBe(5_000);
    });

    it('purges one subject below a sequence', async () => {
      await bus.streams.purge(streams.logs, 4, 'logs.1');
      const info = await bus.streams.info(streams.logs);
      expect(info).toMatchObject({ firstSequence: 2, lastSequence: 4, messages: 2 });
    });

    it('publishes after a message only while that is the newest of its subject', async () => {
      expect(await bus.streams.publishAfter('logs.7', bytes('a'), 1)).toBeNull();
      const first = (await bus.streams.publishAfter('logs.7', bytes('a'), 0)) as number;
      expect(await bus.streams.publishAfter('logs.7', bytes('b'), 0)).toBeNull();
      await bus.streams.publish('logs.8', bytes('x'));
      const second = (await bus.streams.publishAfter('logs.7', bytes('b'), first)) as number;
      expect(second).toBeGreaterThan(first);
      expect(text((await bus.streams.last(streams.logs, 'logs.7'))?.data)).toBe('b');
    });

    it('refuses new messages when full, and keeps the old', async () => {
      const fill = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await bus.streams.publish('logs.3', new Uint8Array(10_000));
      };
      await expect(fill()).rejects.toMatchObject({ code: 'STREAM_FULL' });
      expect(text((await bus.streams.last(streams.logs, 'logs.2'))?.data)).toBe('b');
    });

    it('drops the oldest where it may, and reads and removes single messages', async () => {
      await bus.streams.ensure({
        name: deadStream,
        subjects: ['dead.>'],
        bytesMax: 50_000,
        discardOldAfterMs: 600_000,
        replicas: 1,
        duplicateWindowMs: 60_000,
      });
      for (let i = 0; i < 10; i++) await bus.streams.publish('dead.malformed.gelf', new Uint8Array(10_000).fill(i));
      const last = (await bus.streams.publish('dead.poison.worker', bytes('whole'))).sequence;
      expect(last).toBe(11);
      expect((await bus.streams.info(deadStream)).firstSequence).toBeGreaterThan(5);
      expect(await bus.streams.read(deadStream, 1)).toBeNull();
      expect(await bus.streams.read(deadStream, last)).toMatchObject({ sequence: last, subject: 'dead.poison.worker' });
      expect(await bus.streams.remove(deadStream, last - 1)).toBe(true);
      expect(await bus.streams.remove(deadStream, last - 1)).toBe(false);
      expect(await bus.streams.subjects(deadStream, 'dead.poison.>')).toEqual({ 'dead.poison.worker': 1 });
      const subscription = await bus.streams.consume(deadStream, { fromSequence: last, headersOnly: true });
      for await (const message of subscription) {
        expect(message).toMatchObject({ sequence: last, subject: 'dead.poison.worker' });
        expect(message.data).toHaveLength(0);
        break;
      }
      await subscription.stop();
    });

    it('compares and sets', async () => {
      const store = await bus.keyValue('bucket');
      const revision = await store.create('k', bytes('1'));
      expect(await store.create('k', bytes('2'))).toBeNull();
      expect(await store.update('k', bytes('2'), (revision as number) + 7)).toBeNull();
      const seen: string[] = [];
      const stop = await store.watch('k', (entry) => seen.push(text(entry?.value)));
      expect(await store.update('k', bytes('2'), revision as number)).toBeGreaterThan(revision as number);
      expect(text((await store.get('k'))?.value)).toBe('2');
      expect(await store.keys()).toEqual(['k']);
      await expect.poll(() => seen.at(-1)).toBe('2');
      stop();
      await store.delete('k');
      expect(await store.get('k')).toBeNull();
    });

    it('stores objects', async () => {
      const objects = await bus.objects('things');
      const large = new Uint8Array(400_000).fill(7);
      await objects.put('x', large);
      expect(Buffer.compare((await objects.get('x')) as Uint8Array, large)).toBe(0);
      expect(await objects.list()).toEqual(['x']);
      await objects.delete('x');
      expect(await objects.get('x')).toBeNull();
      expect(await objects.get('never')).toBeNull();
    });

    it('tells listeners by pattern', async () => {
      const heard: string[] = [];
      const stop = bus.listen('heartbeat.>', (data, subject) => heard.push(`${subject}=${text(data)}`));
      await expect
        .poll(() => {
          bus.tell('heartbeat.worker.1', bytes('x'));
          return heard.length;
        })
        .toBeGreaterThan(0);
      expect(heard[0]).toBe('heartbeat.worker.1=x');
      stop();
    });
  });
}

contract('memory', async () => ({ bus: new MemoryBus(() => 1_700_000_000_000), end: async () => {} }));

function storingObjects(): void {
  it('takes a torn object for a missing one, and leaves nothing of a deleted one behind', async () => {
    const server = await TempNats.start();
    const bus = await connectNats({ url: server.url, name: 'test' });
    const stream = 'OBJ_things' as StreamName;
    try {
      const objects = await bus.objects('things');
      await objects.put('torn', new Uint8Array(400_000).fill(7));
      await objects.put('empty', new Uint8Array(0));
      expect(await objects.get('empty')).toHaveLength(0);
      await objects.delete('empty');
      await bus.streams.purge(stream, 3, '$O.things.C.*');
      expect(await objects.get('torn')).toBeNull();
      await objects.delete('torn');
      expect((await bus.streams.info(stream)).messages).toBe(0);
      expect(await objects.list()).toEqual([]);
    } finally {
      await bus.close();
      await server.end();
    }
  });
}

function answering(): void {
  it('lets one of a queue hear each message, and answers who asks', async () => {
    const server = await TempNats.start();
    const members = [
      await connectNats({ url: server.url, name: 'a' }),
      await connectNats({ url: server.url, name: 'b' }),
    ];
    const connection = await connect({ servers: server.url });
    try {
      let heard = 0;
      for (const bus of members)
        bus.listen(
          'in.>',
          (data, subject, answer) => {
            heard++;
            answer?.(bytes(`${subject} ${text(data)}`));
          },
          'queue',
        );
      await expect
        .poll(() => connection.request('in.x', bytes('?'), { timeout: 500 }).then(({ data }) => text(data), String))
        .toBe('in.x ?');
      heard = 0;
      for (let i = 0; i < 10; i++) await connection.request('in.y', bytes('?'), { timeout: 1_000 });
      expect(heard).toBe(10);
    } finally {
      await connection.close();
      for (const bus of members) await bus.close();
      await server.end();
    }
  });
}

function leavingNothingBehind(): void {
  it('leaves no consumer on the server where objects and keys are read', async () => {
    const server = await TempNats.start();
    const bus = await connectNats({ url: server.url, name: 'test' });
    const connection = await connect({ servers: server.url });
    try {
      const objects = await bus.objects('things');
      const store = await bus.keyValue('bucket');
      await objects.put('a/b+c', new Uint8Array(400_000).fill(7));
      await store.put('k', bytes('1'));
      await store.put('gone', bytes('1'));
      await store.delete('gone');
      for (let i = 0; i < 3; i++) {
        expect(await objects.get('a/b+c')).toHaveLength(400_000);
        expect(await objects.list()).toEqual(['a/b+c']);
        expect(await store.keys()).toEqual(['k']);
      }
      const manager = await jetstreamManager(connection);
      let consumers = 0;
      for await (const { state } of manager.streams.list()) consumers += state.consumer_count;
      expect(consumers).toBe(0);
    } finally {
      await connection.close();
      await bus.close();
      await server.end();
    }
  });
}

function reconnecting(): void {
  it('says that it is not connected while the server is away, and goes on when it is back', async () => {
    const server = await TempNats.start();
    const bus = await connectNats({ url: server.url, name: 'test' });
    try {
      await bus.streams.ensure({
        name: streams.logs,
        subjects: ['logs.*'],
        bytesMax: 100_000,
        replicas: 1,
        duplicateWindowMs: 60_000,
      });
      expect(bus.connected).toBe(true);
      await server.kill();
      await expect.poll(() => bus.connected).toBe(false);
      await expect(bus.streams.publish('logs.1', bytes('x'), { timeoutMs: 200 })).rejects.toMatchObject({
        code: 'NATS_UNAVAILABLE',
      });
      server.run();
      await expect.poll(() => bus.connected).toBe(true);
      await expect
        .poll(() =>
          bus.streams.publish('logs.1', bytes('x'), { timeoutMs: 500 }).then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
    } finally {
      await bus.close();
      await server.end();
    }
  });
}

if (natsServerPath !== null) {
  reconnecting();
  storingObjects();
  leavingNothingBehind();
  answering();
  contract('nats', async () => {
    const server = await TempNats.start();
    const bus = await connectNats({ url: server.url, name: 'test' });
    return {
      bus,
      end: async () => {
        await bus.close();
        await server.end();
      },
    };
  });
}
