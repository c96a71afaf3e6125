/** Sends request bodies over keep-alive connections and waits for each acknowledgement. */
import { Agent, request } from 'node:http';
import { type Payload, stamp } from './payload.ts';

export interface SendResult {
  accepted: number;
  rejected: number;
  /** Requests answered 503 or cut off, each sent again. */
  retried: number;
  failures: string[];
}

export interface Sender {
  post(body: Buffer, headers?: Record<string, string>): Promise<{ status: number; text: string }>;
  close(): void;
}

export function openSender(url: string, connections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const target = new URL('/ingest', url);
  return {
    post: (body, headers = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          target,
          { agent, method: 'POST', headers: { 'content-type': 'application/x-ndjson', 'content-length': body.length, ...headers } },
          (response) => {
            let text = '';
            response.setEncoding('utf8');
            response.on('data', (chunk: string) => {
              text += chunk;
            });
            response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
            response.on('error', reject);
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

export interface LoadOptions {
  sender: Sender;
  payloads: Payload[];
  connections: number;
  durationMs: number;
  /** Records per second to hold; undefined: as fast as answers come. */
  ratePerSecond?: number;
  /** Ends the load early. */
  signal?: AbortSignal;
}

/** Runs `connections` senders in a closed loop (one unacknowledged request each), at a fixed rate where one is given. */
export async function load(options: LoadOptions): Promise<SendResult> {
  const { sender, payloads, connections, durationMs, ratePerSecond } = options;
  const result: SendResult = { accepted: 0, rejected: 0, retried: 0, failures: [] };
  const startedMs = performance.now();
  const free = [...payloads];
  let due = 0;
  const one = async (): Promise<void> => {
    while (performance.now() - startedMs < durationMs && options.signal?.aborted !== true) {
      const payload = free.pop();
      if (payload === undefined) throw new Error('fewer payloads than connections');
      if (ratePerSecond !== undefined) {
        const at = (due / ratePerSecond) * 1_000;
        due += payload.lines;
        const wait = at - (performance.now() - startedMs);
        if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      }
      await send(sender, payload, result);
      free.unshift(payload);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  return result;
}

async function send(sender: Sender, payload: Payload, result: SendResult): Promise<void> {
  const body = stamp(payload, Date.now());
  for (;;) {
    try {
      const { status, text } = await sender.post(body);
      if (status === 200) {
        const answer = JSON.parse(text) as { accepted: number; rejected: number };
        result.accepted += answer.accepted;
        result.rejected += answer.rejected;
        return;
      }
      if (status !== 503) {
        result.failures.push(`HTTP ${status}: ${text.slice(0, 200)}`);
        return;
      }
    } catch (error) {
      if (result.failures.length < 100) result.failures.push((error as Error).message);
    }
    result.retried++;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
