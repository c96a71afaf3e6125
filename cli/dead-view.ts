/** How dead letters look on a terminal. What they hold was sent by anybody: nothing of it is written as it is. */
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { type Bus, readDeadLetter } from '#bus/mod.ts';
import { deadLine, deadText, escaped, LogweirError, type StoredDeadLetter } from '#protocol/mod.ts';
import { table } from './table.ts';

const lineCharactersMax = 60;
const detailCharactersMax = 50;
const shownBytesMax = 64 * 1024;
const unpackedBytesMax = 1024 * 1024;

/** Those that are still there and can be read. */
export async function lettersAt(bus: Bus, sequences: readonly number[]): Promise<StoredDeadLetter[]> {
  const letters: StoredDeadLetter[] = [];
  for (const sequence of sequences) {
    try {
      letters.push(await readDeadLetter(bus, sequence));
    } catch (error) {
      if (!(error instanceof LogweirError) || error.retry) throw error;
    }
  }
  return letters;
}

export function listView(
  letters: readonly StoredDeadLetter[],
  counts: readonly { reason: string; receiver: string; count: number }[],
): string[] {
  if (letters.length === 0) return ['No dead letters there.'];
  const cut = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1)}…`);
  return [
    ...table(
      [['reason', 'receiver', 'letters'], ...counts.map((one) => [one.reason, one.receiver, `${one.count}`])],
      2,
    ),
    '',
    ...table(
      [
        ['id', 'when', 'reason', 'receiver', 'source', 'what is wrong', 'bytes'],
        ...letters.map((letter) => [
          String(letter.sequence),
          new Date(letter.atMs).toISOString().slice(0, 19),
          letter.reason,
          letter.receiver,
          cut(escaped(letter.source), detailCharactersMax),
          cut(escaped(letter.detail), detailCharactersMax),
          deadLine(letter.bytes, lineCharactersMax),
        ]),
      ],
      7,
    ),
  ];
}

export function letterView(letter: StoredDeadLetter): string[] {
  const { bytes, bytesWhole = bytes.length, resend } = letter;
  const unpacked = unpack(letter);
  const { text, kind, bytesMore } = deadText(unpacked ?? bytes, shownBytesMax);
  const kept = bytesWhole > bytes.length ? `${bytes.length} of ${bytesWhole} kept` : String(bytes.length);
  return [
    ...table(
      [
        ['id', String(letter.sequence)],
        ['reason', letter.reason],
        ['what is wrong', escaped(letter.detail)],
        ['receiver', letter.receiver],
        ['source', escaped(letter.source)],
        ['service', letter.service === '' ? '(not known)' : escaped(letter.service)],
        ['when', new Date(letter.atMs).toISOString()],
        [
          'bytes',
          `${kept}${kind === 'hex' ? ', no text' : ''}${unpacked === null ? '' : `, unpacked ${unpacked.length}`}`,
        ],
        ['sent again to', resend === undefined ? '(cannot be)' : escaped(resend.path)],
      ],
      2,
    ),
    '',
    text,
    ...(bytesMore > 0 ? [`… ${bytesMore} bytes more; --raw writes all of them`] : []),
  ];
}

export const jsonOf = (letter: StoredDeadLetter): Record<string, unknown> => {
  const { sequence, id: _id, bytes, ...rest } = letter;
  const { text, kind, bytesMore } = deadText(bytes, shownBytesMax);
  return {
    id: sequence,
    ...rest,
    byteCount: bytes.length,
    kind,
    text,
    bytesMore,
    base64: Buffer.from(bytes).toString('base64'),
  };
};

/** What came compressed is looked at unpacked, up to a bound. */
function unpack({ bytes, resend }: StoredDeadLetter): Buffer | null {
  const decode = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync, zstd: zstdDecompressSync }[
    resend?.encoding ?? ''
  ];
  if (decode === undefined) return null;
  try {
    return decode(bytes, { maxOutputLength: unpackedBytesMax });
  } catch {
    return null;
  }
}
