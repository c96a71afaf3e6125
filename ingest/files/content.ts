/** What a file holds, told by its first bytes and never by its name. */

export type Content =
  | 'text'
  | 'journal'
  | 'gzip'
  | 'zstd'
  | 'tar'
  | 'utf16le'
  | 'utf16be'
  | 'archive'
  | 'binary'
  | 'empty';

/** Bytes needed to tell: a tar header's magic ends at 263. */
export const headBytes = 4096;

/** A file of systemd's journal itself. */
export const journalFile = 'systemd journal';

const archives: readonly [string, readonly number[]][] = [
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['7z', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['rar', [0x52, 0x61, 0x72, 0x21]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  // LPKSHHRH: journalctl reads it, see `journalRemedy`.
  [journalFile, [0x4c, 0x50, 0x4b, 0x53, 0x48, 0x48, 0x52, 0x48]],
];
/** How an entry of the journal export format may begin. */
const journalStart = /^\n{0,4}__(?:CURSOR|SEQNUM|SEQNUM_ID|REALTIME_TIMESTAMP|MONOTONIC_TIMESTAMP)=/;

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
}

/** Name of an archive or compression that is not read here; '' for anything else. */
export function archiveName(head: Uint8Array): string {
  const found = archives.find(([name, magic]) => startsWith(head, magic) && (name !== 'bzip2' || isBlockSize(head[3])));
  return found?.[0] ?? '';
}

/** bzip2 goes on with its block size, 1 to 9: `BZh` alone may be prose. */
function isBlockSize(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x31 && byte <= 0x39;
}

export function contentOf(head: Uint8Array): Content {
  if (head.length === 0) return 'empty';
  if (startsWith(head, [0x1f, 0x8b, 0x08])) return 'gzip';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  if (archiveName(head) !== '') return 'archive';
  // Before the look for odd bytes: an entry may have binary fields.
  if (journalStart.test(Buffer.from(head.subarray(0, 64)).toString('latin1'))) return 'journal';
  if (startsWith(head, [0xff, 0xfe])) return 'utf16le';
  if (startsWith(head, [0xfe, 0xff])) return 'utf16be';
  if (head.length >= 263 && Buffer.from(head.buffer, head.byteOffset + 257, 5).toString('latin1') === 'ustar')
    return 'tar';
  return looksBinary(head) ? 'binary' : 'text';
}

/**
 * True where more than a tenth are control characters that no log holds. NUL is not among them: a log that a crash
 * cut off ends in a run of them; a head of nothing else is no text though.
 */
function looksBinary(head: Uint8Array): boolean {
  let odd = 0;
  let nul = 0;
  for (const byte of head) {
    if (byte === 0) nul++;
    else if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 27 && byte !== 12 && byte !== 8) odd++;
  }
  // A few control bytes beside NULs are what executables and images look like.
  return odd * 10 > head.length || (nul > 0 && odd > 0 && (nul + odd) * 5 > head.length) || nul === head.length;
}
