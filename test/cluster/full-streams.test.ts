/**
 * Storage stands still until nothing fits any more: RESULTS fills up, the worker pauses, LOGS fills up, gateways answer 503,
 * and ticks still get through. When storage goes on, so does everything, and nothing is lost or stored twice.
 */
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Bus, connectNats, reserveBytesOf } from '#bus/mod.ts';
import { type KnownProcess, signalKnown } from '#cli/supervisor/identity.ts';
import { type StreamName, streams } from '#protocol/mod.ts';
import { Cluster, until } from './start.ts';

const bytesMax = 16 * 1024 ** 2;
const linesPerPost = 500;
const cluster = new Cluster(1, {
  LOGWEIR_CLUSTER_RETAIN_LOGS: 'false',
  LOGWEIR_STREAMS_LOGS_BYTES_MAX: String(bytesMax),
  LOGWEIR_STREAMS_RESULTS_BYTES_MAX: String(bytesMax),
  // LOGS has room again when checkpoints have passed what was read.
  LOGWEIR_WORKERS_CHECKPOINT_EVERY_MS: '1000',
});
let bus: Bus;

beforeAll(async () => {
  await cluster.start();
  bus = await connectNats({ url: cluster.file.urls.nats, name: 'test' });
});
beforeEach(() => cluster.showLogsOnFailure());
afterAll(async () => {
  await bus.close();
  await cluster.destroy();
});

/** Half a megabyte that cannot be packed. */
function body(post: number): string {
  const lines = Array.from({ length: linesPerPost }, (_, n) =>
    JSON.stringify({ service: `s${n % 40}`, message: `blob ${post} ${n} ${randomBytes(512).toString('hex')}` }),
  );
  return `${lines.join('\n')}\n`;
}

const fill = async (stream: StreamName): Promise<number> => (await bus.streams.info(stream)).bytes / bytesMax;

it('passes a standstill of storage back to clients, and loses nothing', async () => {
  const storage = cluster.file.processes['storage'] as KnownProcess;
  signalKnown(storage, 'SIGSTOP');
  let posts = 0;
  const refused: { key: string; body: string; answer: Response }[] = [];
  try {
    await until(
      async () => {
        const post = { key: `post-${++posts}`, body: body(posts) };
        const answer = await cluster.post(post.body, { 'idempotency-key': post.key });
        if (!answer.ok) refused.push({ ...post, answer });
        return !answer.ok && (await fill(streams.results)) > 0.9;
      },
      'both streams to be full',
      10,
    );
    const { answer } = refused.at(-1) as { answer: Response };
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ code: 'STREAM_FULL' });

    // What is left is kept for ticks, which go on.
    expect((await fill(streams.logs)) * bytesMax).toBeGreaterThan(bytesMax - reserveBytesOf(bytesMax) - 1024 ** 2);
    const { lastSequence } = await bus.streams.info(streams.logs);
    await until(async () => (await bus.streams.info(streams.logs)).lastSequence > lastSequence + 64, 'ticks');
  } finally {
    signalKnown(storage, 'SIGCONT');
  }
  for (const post of refused) await cluster.deliver(post.body, post.key);
  const rows = posts * linesPerPost;
  expect(await cluster.settled(rows)).toBe(rows);
  const [found] = await cluster.rows<{ n: number }>('SELECT uniqExact(Body) AS n FROM logweir.otel_logs');
  expect(found?.n).toBe(rows);
  const { status, stdout } = await cluster.logweir(['reconcile']);
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('partitions balance') as string });
  process.stderr.write(`  ${rows} records in ${posts} posts, ${refused.length} of them refused at first\n`);
});
