/** Dead letters for the API: what their headers say is kept in memory, bounded; bytes are read when somebody looks. */
import type { DeadDesk, DeadLetterDetail, DeadLetterItem, DeadLetterKind } from '#api/mod.ts';
import { type Bus, type DeadHeader, deadHeaders, readDeadLetter } from '#bus/mod.ts';
import { deadLine, deadStream, deadText, LogweirError, type StoredDeadLetter } from '#protocol/mod.ts';

/** Headers remembered; older letters are on the stream, and `logweir dead list` has them. */
const headersMax = 100_000;
/** How old the view may be, ms. */
const lookEveryMs = 2_000;
const lineCharactersMax = 200;
const shownBytesMax = 64 * 1024;

export function deadDesk(bus: Bus, clock: () => number): DeadDesk {
  let headers: DeadHeader[] = [];
  let next = 1;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;

  const look = async (): Promise<void> => {
    if (clock() - lookedMs < lookEveryMs) return;
    const { lastSequence } = await bus.streams.info(deadStream);
    // The stream was made anew.
    if (lastSequence + 1 < next) {
      headers = [];
      next = 1;
    }
    for await (const header of deadHeaders(bus, next)) {
      next = header.sequence + 1;
      headers.push(header);
      if (headers.length > headersMax * 1.1) headers = headers.slice(-headersMax);
    }
    lookedMs = clock();
  };
  const matching = async ({ range, reason, receiver }: Parameters<DeadDesk['kinds']>[0]): Promise<DeadHeader[]> => {
    looking ??= look().finally(() => {
      looking = null;
    });
    await looking;
    return headers.filter(
      (one) =>
        one.timeMs >= range.fromMs &&
        one.timeMs < range.toMs &&
        (reason === undefined || one.reason === reason) &&
        (receiver === undefined || one.receiver === receiver),
    );
  };
  const read = async (sequence: number): Promise<StoredDeadLetter | null> => {
    try {
      return await readDeadLetter(bus, sequence);
    } catch (error) {
      if (error instanceof LogweirError && !error.retry) return null;
      throw error;
    }
  };

  return {
    kinds: async (filter, stepMs) => kindsOf(await matching(filter), filter.range, stepMs),
    letters: async (filter, { limit, after }) => {
      const below = after === undefined ? Number.POSITIVE_INFINITY : Number(after);
      if (Number.isNaN(below)) throw Object.assign(new Error('no position'), { code: 'CURSOR_INVALID' });
      const found = (await matching(filter)).filter(({ sequence }) => sequence < below).reverse();
      const items: DeadLetterItem[] = [];
      let last = 0;
      for (const { sequence } of found) {
        if (items.length >= limit) break;
        last = sequence;
        const letter = await read(sequence);
        if (letter !== null) items.push(itemOf(letter));
      }
      return { items, next: items.length >= limit && found.at(-1)?.sequence !== last ? String(last) : null };
    },
    letter: async (id) => {
      const letter = /^\d{1,15}$/.test(id) ? await read(Number(id)) : null;
      return letter === null ? null : detailOf(letter);
    },
  };
}

function kindsOf(
  headers: readonly DeadHeader[],
  range: { fromMs: number; toMs: number },
  stepMs: number,
): DeadLetterKind[] {
  const steps = Math.max(1, Math.ceil((range.toMs - range.fromMs) / stepMs));
  const kinds = new Map<string, DeadLetterKind>();
  for (const { reason, receiver, timeMs } of headers) {
    const key = `${reason} ${receiver}`;
    const kind = kinds.get(key) ?? { reason, receiver, count: 0, steps: Array.from({ length: steps }, () => 0) };
    kinds.set(key, kind);
    kind.count++;
    const step = Math.floor((timeMs - range.fromMs) / stepMs);
    kind.steps[step] = (kind.steps[step] ?? 0) + 1;
  }
  return [...kinds.values()].sort((a, b) => b.count - a.count);
}

function itemOf({
  sequence,
  bytes,
  bytesWhole,
  resend,
  reason,
  detail,
  receiver,
  source,
  service,
  atMs,
}: StoredDeadLetter): DeadLetterItem {
  return {
    id: String(sequence),
    reason,
    detail,
    receiver,
    source,
    service,
    atMs,
    byteCount: bytesWhole ?? bytes.length,
    line: deadLine(bytes, lineCharactersMax),
    canRetry: resend !== undefined && (bytesWhole ?? 0) <= bytes.length,
  };
}

function detailOf(letter: StoredDeadLetter): DeadLetterDetail {
  const { text, kind, bytesMore } = deadText(letter.bytes, shownBytesMax);
  const cut = (letter.bytesWhole ?? letter.bytes.length) - letter.bytes.length;
  return { ...itemOf(letter), text, kind, bytesMore: bytesMore + cut };
}
