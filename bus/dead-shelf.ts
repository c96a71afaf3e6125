/** Dead letters as people look at them: which there are, one of them, and away with it. */
import { deadStream, decodeDeadLetter, LogweirError, ofDeadSubject, type StoredDeadLetter } from '#protocol/mod.ts';
import type { Bus } from './ports.ts';

/** What is known of a letter without opening it. */
export interface DeadHeader {
  sequence: number;
  reason: string;
  receiver: string;
  /** When the stream took it, ms since 1970. */
  timeMs: number;
}

/** Where nothing comes any more although the server said that it would: it was dropped as too old meanwhile. */
const patienceMs = 5_000;

/** Headers from a sequence on, in order, up to the newest that there is now. */
export async function* deadHeaders(bus: Bus, fromSequence = 1): AsyncGenerator<DeadHeader> {
  const info = await bus.streams.info(deadStream);
  if (info.messages === 0 || info.lastSequence < fromSequence) return;
  // The newest may be removed already: whether any is left is told by the first that comes.
  const subscription = await bus.streams.consume(deadStream, { fromSequence, messagesAhead: 1_000, headersOnly: true });
  let timer = setTimeout(() => void subscription.stop(), patienceMs);
  try {
    for await (const { sequence, subject, timeMs, behind } of subscription) {
      clearTimeout(timer);
      yield { sequence, timeMs, ...ofDeadSubject(subject) };
      if (behind === 0) return;
      timer = setTimeout(() => void subscription.stop(), patienceMs);
    }
  } finally {
    clearTimeout(timer);
    await subscription.stop();
  }
}

/** @throws LogweirError INPUT_EMPTY where it is gone, MESSAGE_MALFORMED where it is none */
export async function readDeadLetter(bus: Bus, sequence: number): Promise<StoredDeadLetter> {
  const message = await bus.streams.read(deadStream, sequence);
  if (message === null)
    throw new LogweirError(
      'INPUT_EMPTY',
      `There is no dead letter ${sequence}.`,
      'It was sent again, removed, or dropped for its age; "logweir dead list" shows those that there are.',
    );
  return decodeDeadLetter(message.data, sequence);
}

export const removeDeadLetter = (bus: Bus, sequence: number): Promise<boolean> =>
  bus.streams.remove(deadStream, sequence);
