/**
 * Latency of alerting, from "a worker took the message" to "the webhook has the POST", over a real nats-server and
 * redis-server on free ports: `node loadtest/bench/alerting.bench.ts [--json]`. Publisher, alerting and webhook share
 * one process, so the figures are an upper bound. Every finding is a new alert of its own service. Then storms through the
 * grouping of incidents alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAlertingConfig, runAlerting, type WebhookBody } from '#alerting/mod.ts';
import { connectNats, freePort, systemTime } from '#bus/mod.ts';
import { type Anomaly, encodeAnomalies, streams, streamSubjects, subjects } from '#protocol/mod.ts';
import { measureGrouping } from './grouping.ts';

interface Row {
  load: string;
  alerts: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

const nowMs = (): number => performance.timeOrigin + performance.now();
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function start(command: string, port: number, options: string[]): Promise<ChildProcess> {
  const child = spawn(command, options, { stdio: 'ignore' });
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
    });
    if (open) return child;
    await sleep(25);
  }
  throw new Error(`${command} did not start.`);
}

const dir = mkdtempSync(join(tmpdir(), 'logweir-bench-'));
const natsPort = await freePort();
const redisPort = await freePort();
const servers = [
  await start('nats-server', natsPort, ['-a', '127.0.0.1', '-p', String(natsPort), '-js', '-sd', join(dir, 'nats')]),
  await start('redis-server', redisPort, [
    '--port',
    String(redisPort),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
  ]),
];

let latencies: number[] = [];
const hook = createHttpServer((request, response) => {
  const atMs = nowMs();
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    const { receipt } = JSON.parse(body) as WebhookBody;
    if (receipt !== null) latencies.push(atMs - receipt.processingMs);
    response.end();
  });
});
await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));

const bus = await connectNats({ url: `nats://127.0.0.1:${natsPort}`, name: 'bench' });
for (const name of [streams.anomalies, streams.alerts])
  await bus.streams.ensure({
    name,
    subjects: [streamSubjects[name]],
    bytesMax: 256 * 1024 * 1024,
    replicas: 1,
    duplicateWindowMs: 120_000,
  });
const alerting = await runAlerting({
  bus,
  redisUrl: `redis://127.0.0.1:${redisPort}`,
  config: parseAlertingConfig({
    channels: [
      {
        name: 'hook',
        type: 'webhook',
        url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
        perMinuteMax: 10_000,
      },
    ],
    // One by one: findings of a moment would else be one incident, told once.
    routes: [{ name: 'hook', channels: 'hook', groupBy: 'service' }],
  }),
  time: systemTime,
  publicUrl: 'http://127.0.0.1:8080',
  log: () => {},
});

let sequence = 0;
function publish(): Promise<unknown> {
  const from = sequence++;
  const time = nowMs();
  const anomaly: Anomaly = {
    anomalyId: sequence.toString(16).padStart(16, '0'),
    service: `service-${sequence}`,
    lane: 'live',
    detector: 'error_spike',
    subject: '',
    startMs: Math.floor(time) - 60_000,
    endMs: Math.floor(time),
    decidedAtMs: Math.floor(time),
    score: 88,
    actual: 41,
    typical: 2,
    description: '41 errors within 60 s, usually 2',
    influencers: [{ kind: 'template', name: 'connection to <*> refused', share: 0.93 }],
    samples: ['connection to db-1 refused after 3 attempts', 'connection to db-2 refused after 3 attempts'],
    watermarkMs: Math.floor(time),
    lateCount: 0,
    revised: false,
    version: sequence,
    eventMs: Math.floor(time),
  };
  const receipt = { eventMs: anomaly.eventMs, gatewayMs: anomaly.eventMs, processingMs: time, detectedMs: time };
  const message = { partition: 0, generation: 1, from, to: sequence, anomalies: [anomaly], receipts: [receipt] };
  return bus.streams.publish(subjects.anomalies(0), encodeAnomalies(message));
}

async function measure(load: string, alerts: number, send: () => Promise<void>): Promise<Row> {
  latencies = [];
  await send();
  for (let tries = 0; latencies.length < alerts && tries < 400; tries++) await sleep(25);
  if (latencies.length !== alerts) throw new Error(`${latencies.length} of ${alerts} alerts arrived.`);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 10) / 10;
  return { load, alerts, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) };
}

async function paced(alerts: number, everyMs: number): Promise<void> {
  const startedMs = nowMs();
  for (let i = 0; i < alerts; i++) {
    await sleep(Math.max(0, startedMs + i * everyMs - nowMs()));
    void publish();
  }
}

const rows: Row[] = [];
await measure('warm-up', 50, () => paced(50, 10));
rows.push(await measure('10/s', 60, () => paced(60, 100)));
rows.push(await measure('100/s', 500, () => paced(500, 10)));
rows.push(
  await measure('50 at once', 50, async () => {
    for (let i = 0; i < 50; i++) void publish();
  }),
);

await alerting.stop();
await bus.close();
hook.closeAllConnections();
hook.close();
for (const server of servers) {
  await new Promise((resolve) => {
    server.once('exit', resolve);
    server.kill();
  });
}
rmSync(dir, { recursive: true, force: true });

const grouping = measureGrouping();
if (process.argv.includes('--json')) console.log(JSON.stringify({ title: 'processing to webhook', rows, grouping }));
else {
  for (const row of rows)
    console.log(
      `${row.load.padEnd(12)} p50 ${row.p50Ms} ms, p95 ${row.p95Ms} ms, p99 ${row.p99Ms} ms, max ${row.maxMs} ms (${row.alerts} alerts)`,
    );
  console.log('Grouping of incidents, one call with 1,500 to 2,000 findings held:');
  for (const row of grouping)
    console.log(
      `  ${row.storm.padEnd(36)} CPU p50 ${row.p50Ms} ms, p99 ${row.p99Ms} ms, max ${row.maxMs} ms; ${row.cpuMs} ms for ${row.findings} findings`,
    );
}
