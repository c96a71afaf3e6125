/**
 * kill -9 of nats-server under load, with gateways that die as well: whatever was answered 2xx is on the stream, the
 * gateways hold no more than they may, and clients that retry under an Idempotency-Key end with one copy of each
 * record, whichever gateway they come to and however often the partition's worker starts anew.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bus, connectNats, freePort, openCluster, systemTime } from '#bus/mod.ts';
import { TempNats } from '#bus/testing/nats-server.ts';
import { Gateway } from '#ingest/mod.ts';
import { partitionOfSubject, StringCursor, streams } from '#protocol/mod.ts';
import { Partition } from '#workers/mod.ts';

const partitions = 4;
const clients = 12;
const requestsPerClient = 40;
const recordsPerRequest = 50;
const pendingBytesMax = 400_000;

interface Door {
  bus: Bus;
  gateway: Gateway;
}

let nats: TempNats;
const doors: Door[] = [];
/** Of the doors, which open again where they were. */
let ports: number[] = [];
let heldMax = 0;

async function openDoor(index: number): Promise<void> {
  const bus = await connectNats({ url: nats.url, name: `gateway-${index}` });
  const gateway = new Gateway({
    bus,
    partitions,
    host: '127.0.0.1',
    port: ports[index] as number,
    time: systemTime,
    id: `g${index}.${Date.now()}`,
    pendingBytesMax,
    giveUpAfterMs: 700,
  });
  await gateway.start();
  doors[index] = { bus, gateway };
}

beforeAll(async () => {
  nats = await TempNats.start();
  const bus = await connectNats({ url: nats.url, name: 'test' });
  await openCluster(bus, { partitions });
  await bus.close();
  ports = [await freePort(), await freePort()];
  await openDoor(0);
  await openDoor(1);
});
afterAll(async () => {
  await Promise.all(doors.map(({ gateway }) => gateway.stop()));
  await Promise.all(doors.map(({ bus }) => bus.close()));
  await nats.end();
});

const idOf = (client: number, request: number, record: number): string => `c${client}-r${request}-n${record}`;

/** Sends as a shipper does: the same body under the same key until it is taken, at either gateway. */
async function send(client: number, request: number, counts: { tries: number; refused: number }): Promise<void> {
  const body = Array.from(
    { length: recordsPerRequest },
    (_, n) => `{"service":"s${(client + n) % 7}","message":"${idOf(client, request, n)} ${'x'.repeat(200)}"}\n`,
  ).join('');
  for (;;) {
    const door = doors[counts.tries++ % doors.length] as Door;
    try {
      const response = await fetch(`http://127.0.0.1:${door.gateway.port}/ingest`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': `${client}/${request}` },
        signal: AbortSignal.timeout(3_000),
      });
      const answer = await response.text();
      if (response.ok) return;
      counts.refused++;
      expect(`${response.status}, again after ${response.headers.get('retry-after')}: ${answer}`).toMatch(
        /^503, again after 1:/,
      );
    } catch (error) {
      if (error instanceof Error && error.name === 'AssertionError') throw error;
    }
    await sleep(50);
  }
}

it('stores what was acknowledged, once, through kills of nats-server and of a gateway', async () => {
  const watch = setInterval(() => {
    for (const { gateway } of doors) heldMax = Math.max(heldMax, gateway.publisher.pendingBytes);
  }, 5);
  const counts = { tries: 0, refused: 0 };
  const sending = Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let request = 0; request < requestsPerClient; request++) {
        // An impatient client: the same request at both gateways at once.
        const copies = request % 5 === 0 ? 2 : 1;
        await Promise.all(Array.from({ length: copies }, () => send(client, request, counts)));
        await sleep(60);
      }
    }),
  );
  for (let i = 0; i < 3; i++) {
    await sleep(500);
    await nats.kill();
    await expect.poll(() => doors.every(({ bus }) => !bus.connected)).toBe(true);
    const ready = await fetch(`http://127.0.0.1:${doors[0]?.gateway.port}/readyz`);
    expect(ready.status).toBe(503);
    // Long enough for requests to be refused, and for one gateway to die with what it holds.
    await sleep(900);
    nats.run();
    await sleep(300);
    const dying = doors[i % 2] as Door;
    await dying.bus.close();
    await dying.gateway.stop();
    await openDoor(i % 2);
  }
  await sending;
  clearInterval(watch);

  const bus = (doors[0] as Door).bus;
  const seen = new Map<string, number>();
  const states = Array.from({ length: partitions }, (_, partition) => new Partition(partition));
  const { lastSequence } = await bus.streams.info(streams.logs);
  let duplicates = 0;
  for await (const message of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
    const partition = partitionOfSubject(message.subject);
    const { section } = (states[partition] as Partition).step(message);
    duplicates += section.duplicates;
    if (section.batch !== null) {
      const cursor = new StringCursor(section.batch.body);
      while (cursor.advance()) {
        const text = Buffer.from(section.batch.body.subarray(cursor.start, cursor.end)).toString();
        const id = text.slice(0, text.indexOf(' '));
        seen.set(id, (seen.get(id) ?? 0) + 1);
      }
    }
    // The worker is killed and starts anew from its checkpoint, now and then.
    if (message.sequence % 40 === 0)
      states[partition] = Partition.restore((states[partition] as Partition).snapshot(), partition);
    if (message.sequence === lastSequence) break;
  }
  const missing: string[] = [];
  for (let client = 0; client < clients; client++)
    for (let request = 0; request < requestsPerClient; request++)
      for (let n = 0; n < recordsPerRequest; n++)
        if (!seen.has(idOf(client, request, n))) missing.push(idOf(client, request, n));
  const twice = [...seen].filter(([, times]) => times > 1);
  const total = clients * requestsPerClient * recordsPerRequest;
  console.info(
    `${total} records in ${counts.tries} requests, ${counts.refused} refused, ${duplicates} repeats dropped, ${heldMax} bytes held at most.`,
  );
  expect({ missing, twice, stored: seen.size }).toEqual({ missing: [], twice: [], stored: total });
  expect(counts.refused).toBeGreaterThan(0);
  expect(duplicates).toBeGreaterThan(recordsPerRequest);
  // Requests that are being read when the bound is reached still come in.
  expect(heldMax).toBeLessThan(pendingBytesMax + clients * recordsPerRequest * 400);
});
