/** Sends request bodies over keep-alive connections and waits for each acknowledgement. */
import { Agent, request } from 'node:http';
import { addCounts, type Counts } from './counts.ts';
import { type Payload, stamp } from './payload.ts';

export interface Answer {
  status: number;
  text: string;
}

export interface Sender {
  post(body: Buffer): Promise<Answer>;
  close(): void;
}

/** @param gateway URL of the gateway */
export function openSender(gateway: string, connections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const target = new URL('/ingest', gateway);
  return {
    post: (body) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length };
        const outgoing = request(target, { agent, method: 'POST', headers }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
          response.on('error', reject);
        });
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

export interface LoadOptions {
  sender: Sender;
  /** At least one per connection. */
  payloads: readonly Payload[];
  connections: number;
  durationMs: number;
  /** Records per second, each request at its own time; undefined: as fast as answers come. */
  ratePerSecond?: number;
  signal: AbortSignal;
}

export interface LoadResult {
  requests: number;
  accepted: Counts;
  rejected: number;
  /** Requests answered 503 or 429, each sent again. */
  refused: number;
  /** Records of requests that ended without an answer: they may be stored or not. */
  unknown: number;
  failures: string[];
  /** From sending (refusals included) to the acknowledgement, ms. */
  postMs: number[];
  /** How late the latest request of a fixed rate was sent, because all connections were busy, ms. */
  latestMs: number;
  durationMs: number;
}

const sendAgainAfterMs = 100;
/** A request that is refused is sent again until this long after the load's end. */
const graceMs = 15_000;
const failuresNamedMax = 5;

/**
 * Runs `connections` senders with one unacknowledged request each. At a fixed rate requests are due by the clock,
 * whatever the answers; they are late only while every connection waits for one.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { sender, payloads, connections, durationMs, ratePerSecond, signal } = options;
  if (payloads.length < connections) throw new RangeError('fewer payloads than connections');
  const result: LoadResult = {
    requests: 0,
    accepted: new Map(),
    rejected: 0,
    refused: 0,
    unknown: 0,
    failures: [],
    postMs: [],
    latestMs: 0,
    durationMs: 0,
  };
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const free = [...payloads];
  let recordsIssued = 0;

  const one = async (): Promise<void> => {
    while (!signal.aborted) {
      const dueMs = ratePerSecond === undefined ? elapsedMs() : (recordsIssued / ratePerSecond) * 1_000;
      if (dueMs >= durationMs) return;
      const payload = free.shift() as Payload;
      recordsIssued += payload.lines;
      const waitMs = dueMs - elapsedMs();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      result.latestMs = Math.max(result.latestMs, elapsedMs() - dueMs);
      await send(payload);
      free.push(payload);
    }
  };

  const send = async (payload: Payload): Promise<void> => {
    const sentMs = performance.now();
    const body = stamp(payload, Date.now());
    result.requests++;
    while (!signal.aborted) {
      const answer = await sender.post(body).catch((error: Error) => error);
      if (answer instanceof Error) {
        result.unknown += payload.lines;
        return fail(answer.message);
      }
      if (answer.status === 200) {
        result.postMs.push(performance.now() - sentMs);
        addCounts(result.accepted, payload.services);
        result.rejected += (JSON.parse(answer.text) as { rejected: number }).rejected;
        return;
      }
      const again = answer.status === 503 || answer.status === 429;
      if (!again || elapsedMs() > durationMs + graceMs) return fail(`HTTP ${answer.status}: ${answer.text}`);
      result.refused++;
      await new Promise((resolve) => setTimeout(resolve, sendAgainAfterMs));
    }
  };

  const fail = async (reason: string): Promise<void> => {
    if (result.failures.length < failuresNamedMax) result.failures.push(reason.slice(0, 300));
    await new Promise((resolve) => setTimeout(resolve, sendAgainAfterMs));
  };

  await Promise.all(Array.from({ length: connections }, one));
  result.durationMs = elapsedMs();
  return result;
}
