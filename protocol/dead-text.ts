/** Bytes of a dead letter as text that does no harm to a terminal or a page: whatever somebody sent stands in it. */

export interface DeadText {
  text: string;
  /** `hex`: it is no text. */
  kind: 'text' | 'hex';
  /** Bytes that are not shown. */
  bytesMore: number;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
/** Control characters, and what changes the direction of text or cannot be seen. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;
/** Share of control characters over which it is no text. */
const unsafeShareMax = 0.1;
const hexBytesPerLine = 16;

/** Newlines and tabs stay, other control characters become `\xNN` or `\u{NNNN}`; what is no text becomes a hex dump. */
export function deadText(bytes: Uint8Array, bytesMax: number): DeadText {
  const shown = bytes.subarray(0, bytesMax);
  const bytesMore = bytes.length - shown.length;
  const text = decoded(shown, bytesMore > 0);
  if (text !== null && (text.match(unsafe)?.length ?? 0) <= text.length * unsafeShareMax)
    return { text: escaped(text), kind: 'text', bytesMore };
  return { text: hexDump(shown), kind: 'hex', bytesMore };
}

/** One line of it, for lists. */
export function deadLine(bytes: Uint8Array, charactersMax: number): string {
  const { text, kind } = deadText(bytes, charactersMax * 4);
  if (kind === 'hex') return `(${bytes.length} bytes that are no text)`;
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax - 1)}…`;
}

export const escaped = (text: string): string =>
  text.replaceAll(unsafe, (character) => {
    const code = character.codePointAt(0) as number;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });

function decoded(bytes: Uint8Array, isCut: boolean): string | null {
  // What was cut may end within a character.
  for (let less = 0; less <= (isCut ? 3 : 0); less++) {
    try {
      return decoder.decode(bytes.subarray(0, bytes.length - less));
    } catch {
      // Then with less of it.
    }
  }
  return null;
}

function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += hexBytesPerLine) {
    const row = [...bytes.subarray(at, at + hexBytesPerLine)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const signs = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(hexBytesPerLine * 3)} ${signs}`);
  }
  return lines.join('\n');
}
