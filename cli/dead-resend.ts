/**
 * Sends a dead letter again, as it came: over the gateway, or onto the LOGS stream where it was found there. Effectively once:
 * under one Idempotency-Key, however often it is tried within the hour that partitions remember keys for, and it is taken
 * off the shelf only after the stream has acknowledged it.
 */
import { createHash } from 'node:crypto';
import { type Bus, removeDeadLetter } from '#bus/mod.ts';
import { decodeLogsMessage, deadRetryHeader, LogweirError, type StoredDeadLetter } from '#protocol/mod.ts';

export type Resent =
  | { outcome: 'taken' }
  /** It is still there: as it is, it cannot be taken. */
  | { outcome: 'refused'; why: string }
  /** It is still there: nothing is wrong with it, only not now. */
  | { outcome: 'later'; why: string };

export interface ResendOptions {
  bus: Bus;
  /** Base URL of a gateway. */
  gatewayUrl: string;
  /** Headers that clients of a receiver must send, by its name: tokens are not kept with letters. */
  tokens: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const timeoutMs = 30_000;
const whyCharactersMax = 300;

/** @throws LogweirError CLUSTER_NOT_FOUND where no gateway answers */
export async function resend(letter: StoredDeadLetter, options: ResendOptions): Promise<Resent> {
  const { resend: way, bytes, bytesWhole } = letter;
  if (bytesWhole !== undefined && bytesWhole > bytes.length)
    return { outcome: 'refused', why: `only ${bytes.length} of its ${bytesWhole} bytes were kept` };
  if (way === undefined) return { outcome: 'refused', why: 'it cannot be sent by itself; see "logweir dead show"' };
  const sent = way.path.startsWith('/') ? await post(letter, way, options) : await publish(letter, way.path, options);
  if (sent.outcome === 'taken') await removeDeadLetter(options.bus, letter.sequence);
  return sent;
}

export const resendKey = ({ id }: StoredDeadLetter): string =>
  `dead-${createHash('sha256').update(id).digest('hex').slice(0, 32)}`;

async function post(
  letter: StoredDeadLetter,
  { path, contentType, encoding, headers: more }: NonNullable<StoredDeadLetter['resend']>,
  { gatewayUrl, tokens }: ResendOptions,
): Promise<Resent> {
  const headers: Record<string, string> = {
    ...more,
    'idempotency-key': resendKey(letter),
    // It has a letter already.
    [deadRetryHeader]: '1',
    ...(contentType === '' ? {} : { 'content-type': contentType }),
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    ...tokens[letter.receiver],
  };
  let response: Response;
  try {
    const body = new Uint8Array(letter.bytes);
    response = await fetch(new URL(path, gatewayUrl), {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw new LogweirError(
      'CLUSTER_NOT_FOUND',
      `No gateway answers at ${gatewayUrl}.`,
      'Start one with "logweir up" or "logweir gateway", or name its address with --gateway.',
      { cause },
    );
  }
  const answer = Buffer.from(await response.arrayBuffer());
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return judge(response.status, answer, isJson);
}

/** What an answer says of the one record or request that was sent. */
export function judge(status: number, body: Buffer, isJson: boolean): Resent {
  const text = body.toString('utf8');
  const answer = isJson ? objectOf(text) : {};
  if (status === 429 || status === 503) return { outcome: 'later', why: wordsOf(answer, text, status) };
  const isPartial =
    Number(answer['rejected'] ?? 0) > 0 ||
    answer['errors'] === true ||
    answer['partialSuccess'] !== undefined ||
    // OTLP in protobuf: an answer that says something says what was not taken.
    (!isJson && status === 200 && body.length > 0);
  if (status < 200 || status >= 300 || isPartial) return { outcome: 'refused', why: wordsOf(answer, text, status) };
  return { outcome: 'taken' };
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function wordsOf(answer: Record<string, unknown>, text: string, status: number): string {
  const { title, reason, errors } = answer as { title?: unknown; reason?: unknown; errors?: unknown };
  const [first] = Array.isArray(errors) ? (errors as { reason?: unknown }[]) : [];
  const words = [title, reason, first?.reason].find((one) => typeof one === 'string') ?? text;
  return `${status}: ${words.replaceAll(/\s+/g, ' ').trim().slice(0, whyCharactersMax)}`;
}

async function publish(letter: StoredDeadLetter, subject: string, { bus }: ResendOptions): Promise<Resent> {
  try {
    decodeLogsMessage(letter.bytes);
  } catch (error) {
    return { outcome: 'refused', why: (error as Error).message };
  }
  try {
    await bus.streams.publish(subject, letter.bytes, { messageId: resendKey(letter) });
    return { outcome: 'taken' };
  } catch (error) {
    return { outcome: 'later', why: (error as Error).message };
  }
}
