/** Logs over NATS subjects: who publishes may go on at once, who asks is answered when the stream has the records. */
import { afterEach, describe, expect, it } from 'vitest';
import { mutated, openSockets, randomOf, until, type World } from '../sockets.fixture.ts';

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function open(more: Parameters<typeof openSockets>[1] = {}): Promise<World> {
  const world = await openSockets('syslog', { ports: {}, nats: true, ...more });
  worlds.push(world);
  return world;
}

const ask = (world: World, service: string, text: string): Promise<unknown> =>
  new Promise((resolve) =>
    world.bus.tell(`logs.in.${service}`, Buffer.from(text), (answer) =>
      resolve(JSON.parse(Buffer.from(answer).toString())),
    ),
  );

describe('logs.in.<service>', () => {
  it('takes JSON and text, and says what became of them', async () => {
    const world = await open();
    const json = '{"msg":"a","level":"warn","n":1}\n{"service":"own","msg":"b"}\nno json\n';
    expect(await ask(world, 'shop.cart', json)).toEqual({ accepted: 2, rejected: 1 });
    expect(await ask(world, 'shop', '2026-11-21T10:00:00Z ERROR boom\n  at x\nnext')).toEqual({
      accepted: 2,
      rejected: 0,
    });
    world.bus.tell('logs.in.quiet', Buffer.from('nobody waits'));
    expect(
      (await world.settled(5)).map(({ service, severityNumber, body }) => [service, severityNumber, body]),
    ).toEqual([
      ['shop.cart', 13, 'a'],
      ['own', 0, 'b'],
      ['shop', 17, 'boom\n  at x'],
      ['shop', 0, 'next'],
      ['quiet', 0, 'nobody waits'],
    ]);
  });

  it('answers only what the stream has, and refuses when it is full', async () => {
    const world = await open({ pendingBytesMax: 1_000 });
    const restore = world.breakStream();
    let answered = false;
    const first = ask(world, 'a', 'x'.repeat(2_000)).then((answer) => {
      answered = true;
      return answer;
    });
    expect(await ask(world, 'a', 'second')).toMatchObject({ accepted: 0, error: { retry: true } });
    await until(() => world.sockets.publisher.counts.retries > 1);
    expect([answered, world.sockets.counters()['natsDropped']]).toEqual([false, 1]);
    restore();
    expect(await first).toEqual({ accepted: 1, rejected: 0 });
  });

  it('survives mutated messages', async () => {
    const world = await open();
    const random = randomOf(3);
    const base = Buffer.from('{"msg":"a","deep":{"x":[1,2]}}\nplain \u001b[31m text\n');
    for (let round = 0; round < 500; round++) world.bus.tell('logs.in.f', mutated(base, random));
    expect(await ask(world, 'good', '{"msg":"x"}')).toEqual({ accepted: 1, rejected: 0 });
  });
});
