/** What a real cluster cannot take: found, looked at, sent again once the cause is mended, and the books balance. */
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { connectNats } from '#bus/mod.ts';
import { Cluster, until } from './start.ts';

const cluster = new Cluster(1, { LOGWEIR_CLUSTER_RETAIN_LOGS: 'true' });

beforeAll(() => cluster.start());
beforeEach(() => cluster.showLogsOnFailure());
afterAll(() => cluster.destroy());

interface Listed {
  counts: { reason: string; receiver: string; count: number }[];
  letters: { id: number; reason: string; receiver: string; source: string; text: string }[];
}

async function dead<T>(args: readonly string[], status = 0): Promise<T> {
  const ended = await cluster.logweir(['dead', ...args, '--json']);
  expect({ status: ended.status, stderr: ended.stderr }, args.join(' ')).toEqual({ status, stderr: '' });
  return JSON.parse(ended.stdout) as T;
}

it('keeps, lists, shows and sends again what could not be taken', async () => {
  const { accepted } = (await (await cluster.post('{"msg":"good","service":"shop"}\n{"msg":\u001b[2J\n')).json()) as {
    accepted: number;
  };
  expect(accepted).toBe(1);
  const ports = cluster.file.processes['gateway']?.facts['ports'] as { gelf: number };
  const socket = connect(ports.gelf, '127.0.0.1', () => socket.end('{"short_message":\0'));
  socket.resume();
  const bus = await connectNats({ url: cluster.file.urls.nats, name: 'test' });
  bus.tell('logs.in', Buffer.from('a line that names no service'));
  await bus.streams.publish('logs.3', Buffer.from('no message at all'));

  let listed: Listed = { counts: [], letters: [] };
  await until(async () => {
    const ended = await cluster.logweir(['dead', 'list', '--json']);
    listed = JSON.parse(ended.stdout) as Listed;
    return listed.letters.length === 4;
  }, 'four dead letters');
  const find = (reason: string, receiver: string) =>
    listed.letters.find((one) => one.reason === reason && one.receiver === receiver) as Listed['letters'][number];
  expect(find('malformed', 'ingest')).toMatchObject({ source: '127.0.0.1', text: '{"msg":\\x1b[2J' });
  expect(find('malformed', 'gelf').text).toBe('{"short_message":');
  expect(find('poison', 'worker')).toMatchObject({ text: 'no message at all' });
  expect(find('poison', 'worker').source).toMatch(/^LOGS generation \d+, partition 3, sequence \d+$/);
  // It is taken off the stream of logs, where nobody would read it.
  await until(
    async () => Object.keys(await bus.streams.subjects('LOGS', 'logs.in')).length === 0,
    'the stray to be gone from LOGS',
  );

  const shown = await cluster.logweir(['dead', 'show', String(find('malformed', 'ingest').id)]);
  expect(shown.stdout).toContain('{"msg":\\x1b[2J');
  expect(shown.stdout).not.toContain('\u001b');
  const raw = await cluster.logweir(['dead', 'show', String(find('malformed', 'ingest').id), '--raw']);
  expect(raw.stdout).toBe('{"msg":\u001b[2J');

  const stray = String(find('stray', 'nats').id);
  expect(await dead(['retry', stray])).toEqual({ taken: 1, refused: 0, later: 0, failed: [] });
  expect(await dead(['retry', '--reason', 'malformed', '--receiver', 'ingest'], 3)).toMatchObject({
    taken: 0,
    refused: 1,
    failed: [{ outcome: 'refused' }],
  });
  expect(await dead(['retry', '--reason', 'poison'], 3)).toMatchObject({ refused: 1 });
  expect((await cluster.logweir(['dead', 'show', stray])).status).toBe(1);
  expect(await cluster.settled(2)).toBe(2);
  expect(await cluster.count('otel_logs', "Body = 'a line that names no service'")).toBe(1);

  const metrics = await (await fetch(`${cluster.file.urls.gateway}/metrics`)).text();
  expect(metrics).toContain('logweir_dead_letters_total{reason="malformed",receiver="ingest"} 1\n');
  const api = (await (await fetch(`${cluster.file.urls.api}/api/v1/dead-letters`)).json()) as { items: unknown[] };
  expect(api.items).toHaveLength(3);
  const reconciled = await cluster.logweir(['reconcile', '--json']);
  expect(reconciled.status, reconciled.stderr).toBe(0);

  expect(await dead(['purge', '--all'])).toEqual({ removed: 3 });
  expect((await dead<Listed>(['list'], 3)).letters).toEqual([]);
  await bus.close();
});
