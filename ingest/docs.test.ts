/** What docs/receivers.md and docs/sockets.md tell somebody to type is typed here: each command sends one log, which arrives. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sockets } from './sockets.ts';
import { systemTime } from '#bus/mod.ts';
import { openGateway, type TestGateway } from './testing/gateway.ts';

const run = promisify(execFile);
const page = (name: string): string => readFileSync(new URL(`../docs/${name}.md`, import.meta.url), 'utf8');
const commands = (text: string): string[] =>
  [...text.matchAll(/^```sh\n((?:curl|printf|logger|data=)[\s\S]*?)^```$/gm)].map(([, command]) => command as string);

const free = { port: 0, mayBeTaken: false };
const defaults = { otlpHttp: 4318, loki: 3100, elasticsearch: 9200, splunk: 8088, journald: 19532 };
let world: TestGateway;
let sockets: Sockets;
let ports: Map<number, number>;

beforeAll(async () => {
  world = await openGateway({
    receiverPorts: Object.fromEntries(Object.keys(defaults).map((name) => [name, free])),
  });
  sockets = new Sockets({
    bus: world.bus,
    partitions: 1,
    host: '127.0.0.1',
    ports: { syslog: { port: 0 }, gelf: { port: 0 }, forward: { port: 0 } },
    time: systemTime,
    id: 'sockets',
    pendingBytesMax: 64 << 20,
    settings: { utcOffsetMinutes: 0, sharedKey: '', hostName: 'gateway' },
  });
  await sockets.start();
  ports = new Map([
    [8081, world.gateway.port],
    ...Object.entries(defaults).map(([name, port]): [number, number] => [port, world.gateway.ports[name] as number]),
    [5514, sockets.ports['syslog'] as number],
    [12201, sockets.ports['gelf'] as number],
    [24224, sockets.ports['forward'] as number],
  ]);
});

afterAll(async () => {
  await sockets.stop();
  await world.stop();
});

describe.each(['receivers', 'sockets'])('docs/%s.md', (name) => {
  it.each(commands(page(name)).map((command) => [command.slice(0, 70), command]))('%s', async (_title, command) => {
    const before = (await world.records()).length;
    const here = command
      .replaceAll(
        /(127\.0\.0\.1[:/]|--port )(\d+)/g,
        (_, head: string, port: string) => `${head}${ports.get(Number(port))}`,
      )
      .replaceAll('curl ', 'curl --silent --show-error --fail --max-time 5 ');
    await run('bash', ['-c', `set -o pipefail; ${here}`]);
    await expect.poll(async () => (await world.records()).length).toBe(before + 1);
    const record = (await world.records()).at(-1);
    expect([record?.service, record?.body]).toEqual(['till', 'card declined']);
    // The forward protocol has no level.
    if (!command.includes('\\247message')) expect(record?.severityNumber).toBe(17);
  });
});

it('every receiver has one', () => {
  const [sections, others] = ['receivers', 'sockets'].map((name) => page(name).split(/^## /m).slice(1));
  const without = [...(sections ?? []), ...(others ?? [])].filter((text) => commands(text).length === 0);
  // NATS needs its own client.
  expect(without.map((text) => text.split('\n', 1)[0])).toEqual([
    'TLS',
    'When more comes than can be taken',
    'What was tried',
    'NATS',
  ]);
});
