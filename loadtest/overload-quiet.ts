/**
 * Quiet neighbours: a few lines a second each, from addresses of their own, over HTTP (NDJSON, Loki) and syslog. They behave:
 * what is refused comes again when they are told, up to a time.
 */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile, type Summary, summarize } from './statistics.ts';

export interface NeighboursResult {
  /** Requests that were due. */
  requests: number;
  /** Taken at the first try. */
  first: number;
  /** Taken in the end. */
  taken: number;
  firstShare: number;
  successShare: number;
  /** From the first try to the acknowledgement, tries again included. */
  postMs: Summary | null;
  p50Ms: number;
  statuses: Record<string, number>;
  /** Records acknowledged, or written to a syslog connection, by service. */
  accepted: Record<string, number>;
}

const neighbours = 8;
const linesPerRequest = 20;
const everyMs = 500;
/** A neighbour gives a request up after this long. */
const giveUpMs = 15_000;
const syslogEveryMs = 100;

export class Neighbours {
  private readonly gateway: string;
  private readonly syslogPort: number;

  constructor(gateway: string, syslogPort: number) {
    this.gateway = gateway;
    this.syslogPort = syslogPort;
  }

  async run(phase: string, durationMs: number, signal: AbortSignal): Promise<NeighboursResult> {
    const result: NeighboursResult = {
      requests: 0,
      first: 0,
      taken: 0,
      firstShare: 0,
      successShare: 0,
      postMs: null,
      p50Ms: 0,
      statuses: {},
      accepted: {},
    };
    const tookMs: number[] = [];
    const all = Array.from({ length: neighbours }, (_, n) =>
      this.overHttp(n, phase, durationMs, result, tookMs, signal),
    );
    await Promise.all([...all, this.overSyslog(phase, durationMs, result, signal)]);
    result.firstShare = result.first / Math.max(1, result.requests);
    result.successShare = result.taken / Math.max(1, result.requests);
    result.postMs = summarize(tookMs);
    result.p50Ms = percentile(
      tookMs.toSorted((a, b) => a - b),
      0.5,
    );
    return result;
  }

  private async overHttp(
    n: number,
    phase: string,
    durationMs: number,
    result: NeighboursResult,
    tookMs: number[],
    signal: AbortSignal,
  ): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 4, localAddress: `127.0.0.${20 + n}` });
    const service = `quiet-${phase}-${n}`;
    const isLoki = n % 2 === 1;
    const underWay: Promise<void>[] = [];
    const startedMs = performance.now();
    for (let k = 0; k * everyMs < durationMs && !signal.aborted; k++) {
      const waitMs = startedMs + k * everyMs - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal });
      result.requests++;
      underWay.push(this.one(agent, service, isLoki, `${phase} ${n} ${k}`, result, tookMs));
    }
    await Promise.all(underWay);
    agent.destroy();
  }

  private async one(
    agent: Agent,
    service: string,
    isLoki: boolean,
    key: string,
    result: NeighboursResult,
    tookMs: number[],
  ): Promise<void> {
    const body = isLoki ? lokiBody(service, key) : ndjsonBody(service, key);
    const path = isLoki ? '/loki/api/v1/push' : '/ingest';
    const startedMs = performance.now();
    for (let attempt = 0; performance.now() - startedMs < giveUpMs; attempt++) {
      const { status, retryAfterMs } = await this.post(agent, path, isLoki, body, key);
      result.statuses[status] = (result.statuses[status] ?? 0) + 1;
      if (status === '200' || status === '204') {
        tookMs.push(performance.now() - startedMs);
        result.taken++;
        if (attempt === 0) result.first++;
        result.accepted[service] = (result.accepted[service] ?? 0) + linesPerRequest;
        return;
      }
      await sleep(retryAfterMs);
    }
  }

  private post(
    agent: Agent,
    path: string,
    isLoki: boolean,
    body: Buffer,
    key: string,
  ): Promise<{ status: string; retryAfterMs: number }> {
    return new Promise((resolve) => {
      const headers = {
        'content-type': isLoki ? 'application/json' : 'application/x-ndjson',
        'content-length': body.length,
        'idempotency-key': key.replaceAll(' ', '-'),
      };
      const outgoing = request(new URL(path, this.gateway), { agent, method: 'POST', headers }, (response) => {
        response.resume();
        const seconds = Number(response.headers['retry-after'] ?? 1);
        response.once('close', () => resolve({ status: String(response.statusCode), retryAfterMs: seconds * 1_000 }));
      });
      outgoing.once('error', (error: NodeJS.ErrnoException) =>
        resolve({ status: error.code ?? 'error', retryAfterMs: 500 }),
      );
      outgoing.end(body);
    });
  }

  private async overSyslog(
    phase: string,
    durationMs: number,
    result: NeighboursResult,
    signal: AbortSignal,
  ): Promise<void> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect({ port: this.syslogPort, host: '127.0.0.1', localAddress: '127.0.0.40' }, () =>
        resolve(opening),
      );
      opening.once('error', reject);
    });
    const service = `quiet-${phase}-syslog`;
    let written = 0;
    const untilMs = performance.now() + durationMs;
    while (performance.now() < untilMs && !signal.aborted) {
      socket.write(`<14>1 - host ${service} - - - line ${written} of a quiet neighbour\n`);
      written++;
      await sleep(syslogEveryMs, undefined, { signal });
    }
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.resume();
      socket.end();
    });
    result.accepted[service] = written;
  }
}

function ndjsonBody(service: string, key: string): Buffer {
  const line = (n: number): string => JSON.stringify({ service, level: 'info', message: `quiet ${key} line ${n}` });
  return Buffer.from(`${Array.from({ length: linesPerRequest }, (_, n) => line(n)).join('\n')}\n`);
}

function lokiBody(service: string, key: string): Buffer {
  const values = Array.from({ length: linesPerRequest }, (_, n) => [`${Date.now()}000000`, `quiet ${key} line ${n}`]);
  return Buffer.from(JSON.stringify({ streams: [{ stream: { service_name: service }, values }] }));
}
