/** One POST, and what its answer means: taken, try again (when), or never. */
import { DeliveryError } from './channel.ts';

export interface Post {
  url: string;
  body: string;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Wall clock, ms: for a Retry-After that is a date. */
  clock: () => number;
}

/** Of an answer, only this much is read: enough to keep the connection and to say what was wrong. */
const answerBytesMax = 16 * 1024;
const answerShownMax = 200;

/** @throws DeliveryError */
export async function post({ url, body, headers, timeoutMs, clock }: Post): Promise<void> {
  const host = new URL(url).host;
  let status: number;
  let retryAfter: string | null;
  let answer: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'user-agent': 'logweir', ...headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    ({ status } = response);
    retryAfter = response.headers.get('retry-after');
    answer = await beginning(response);
  } catch (cause) {
    throw new DeliveryError(`${host} did not answer: ${reasonOf(cause, timeoutMs)}.`, { cause });
  }
  if (status >= 200 && status < 300) return;
  const said = answer === '' ? '' : `: ${answer}`;
  throw new DeliveryError(`${host} answered ${status}${said}.`, {
    permanent: status < 500 && ![408, 425, 429].includes(status),
    retryAfterMs: parseRetryAfter(retryAfter, clock()),
  });
}

async function beginning(response: Response): Promise<string> {
  if (response.body === null) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    if (bytes < answerBytesMax) continue;
    await reader.cancel();
    break;
  }
  return Buffer.concat(parts).toString().replace(/\s+/g, ' ').trim().slice(0, answerShownMax);
}

/** Seconds or an HTTP date → ms from now, or null where it says neither. */
export function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

function reasonOf(cause: unknown, timeoutMs: number): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  // fetch says "fetch failed" and keeps the reason one level down.
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  return (inner as NodeJS.ErrnoException).code ?? inner.message;
}
