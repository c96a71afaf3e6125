/**
 * The noisy source of the overload scenario, in a thread of its own: offers records by the clock over several protocols,
 * from one address, and neither waits when it is told to nor sends anything again.
 */
import { createSocket } from 'node:dgram';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export interface NoisyOptions {
  /** Base URL of the gateway. */
  gateway: string;
  syslogPort: number;
  gelfPort: number;
  /** Client address; all of 127.0.0.0/8 is this machine. */
  address: string;
  /** Records per second over everything. */
  ratePerSecond: number;
  durationMs: number;
  /** Requests under way at most. */
  connections: number;
}

export interface NoisyResult {
  protocol: string;
  /** Records that it was due to send. */
  offered: number;
  /** Records of requests that were acknowledged; over sockets: that were written whole. */
  accepted: number;
  /** Requests by status. */
  statuses: Record<string, number>;
  /** Records of requests without an answer. */
  unknown: number;
}

/** Share of the records, and how a body is made of lines. */
const ways = [
  { protocol: 'ndjson', share: 0.55, path: '/ingest', type: 'application/x-ndjson', line: ndjson, join: lines },
  {
    protocol: 'loki',
    share: 0.15,
    path: '/loki/api/v1/push',
    type: 'application/json',
    line: lokiEntry,
    join: lokiBody,
  },
  { protocol: 'elasticsearch', share: 0.15, path: '/_bulk', type: 'application/x-ndjson', line: bulk, join: lines },
] as const;
const syslogShare = 0.1;
const gelfShare = 0.05;
export const noisyService = (protocol: string): string => `noisy-${protocol}`;
const linesPerBody = 500;
const stepMs = 20;
const tail = ' user=4711 path=/api/v1/orders/cart status=200 bytes=18231 region=eu-central-1 agent=probe/2.1';

function ndjson(n: number): string {
  return JSON.stringify({
    service: noisyService('ndjson'),
    level: 'info',
    message: `request ${n} took ${n % 97} ms${tail}`,
  });
}
function lokiEntry(n: number): string {
  return `["${Date.now()}000000","request ${n} took ${n % 97} ms${tail}"]`;
}
function bulk(n: number): string {
  const document = {
    service: { name: noisyService('elasticsearch') },
    message: `request ${n} took ${n % 97} ms${tail}`,
  };
  return `{"create":{}}\n${JSON.stringify(document)}`;
}
function lines(all: string[]): Buffer {
  return Buffer.from(`${all.join('\n')}\n`);
}
function lokiBody(all: string[]): Buffer {
  return Buffer.from(`{"streams":[{"stream":{"service_name":"${noisyService('loki')}"},"values":[${all.join(',')}]}]}`);
}

const newResult = (protocol: string): NoisyResult => ({ protocol, offered: 0, accepted: 0, statuses: {}, unknown: 0 });

async function overHttp(
  options: NoisyOptions,
  { protocol, share, path, type, line, join }: (typeof ways)[number],
): Promise<NoisyResult> {
  const result = newResult(protocol);
  const body = join(Array.from({ length: linesPerBody }, (_, n) => line(n)));
  const connections = Math.max(8, Math.round(options.connections * share));
  const agent = new Agent({ keepAlive: true, maxSockets: connections, localAddress: options.address });
  const target = new URL(path, options.gateway);
  const headers = { 'content-type': type, 'content-length': body.length };
  const underWay = new Set<Promise<void>>();
  const note = (status: string): void => void (result.statuses[status] = (result.statuses[status] ?? 0) + 1);
  const send = (): Promise<void> =>
    new Promise((resolve) => {
      const outgoing = request(target, { agent, method: 'POST', headers }, (response) => {
        response.resume();
        response.once('close', () => {
          note(String(response.statusCode));
          if (response.statusCode === 200 || response.statusCode === 204) result.accepted += linesPerBody;
          resolve();
        });
      });
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        note(error.code ?? 'error');
        result.unknown += linesPerBody;
        resolve();
      });
      outgoing.end(body);
    });
  await paced(options, share, linesPerBody, (records) => {
    result.offered += records;
    // All connections wait: what is due now is offered, and not even looked at.
    if (underWay.size >= connections) return note('busy');
    const one: Promise<void> = send().finally(() => underWay.delete(one));
    underWay.add(one);
  });
  await Promise.all(underWay);
  agent.destroy();
  return result;
}

/** Calls back once for every `size` records that are due. */
async function paced(
  { ratePerSecond, durationMs }: NoisyOptions,
  share: number,
  size: number,
  due: (records: number) => void,
): Promise<void> {
  const startedMs = performance.now();
  let issued = 0;
  for (;;) {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs >= durationMs) return;
    const wanted = (elapsedMs / 1_000) * ratePerSecond * share;
    for (; issued + size <= wanted; issued += size) due(size);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
}

/** Over one connection: what it does not take is not written. */
async function overSyslog(options: NoisyOptions): Promise<NoisyResult> {
  const result = newResult('syslog');
  const socket = connect({ port: options.syslogPort, host: '127.0.0.1', localAddress: options.address });
  socket.on('error', (error: NodeJS.ErrnoException) => void (result.statuses[error.code ?? 'error'] = 1));
  await new Promise<void>((resolve) => void socket.once('connect', resolve));
  const line = `<14>1 - host ${noisyService('syslog')} - - - request took 12 ms${tail}\n`;
  const block = Buffer.from(line.repeat(100));
  await paced(options, syslogShare, 100, (records) => {
    result.offered += records;
    if (socket.writableNeedDrain || socket.destroyed) return;
    socket.write(block);
    result.accepted += records;
  });
  // Everything that was written is read in the end.
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.resume();
    socket.end();
  });
  return result;
}

async function overGelf(options: NoisyOptions): Promise<NoisyResult> {
  const result = newResult('gelf');
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => void socket.bind(0, options.address, resolve));
  const message = JSON.stringify({
    version: '1.1',
    host: 'noisy',
    short_message: `request took 12 ms${tail}`,
    _service: noisyService('gelf'),
  });
  await paced(options, gelfShare, 10, (records) => {
    result.offered += records;
    for (let n = 0; n < records; n++) socket.send(message, options.gelfPort, '127.0.0.1', () => {});
  });
  socket.close();
  return result;
}

/** Nothing where the module is imported. */
const isNoisy = typeof workerData === 'object' && workerData !== null && 'gateway' in workerData;
if (parentPort !== null && isNoisy) {
  const options = workerData as NoisyOptions;
  const all = await Promise.all([...ways.map((way) => overHttp(options, way)), overSyslog(options), overGelf(options)]);
  // oxlint-disable-next-line require-post-message-target-origin -- a thread, no window
  parentPort.postMessage(all);
}
