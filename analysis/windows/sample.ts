const decoder = new TextDecoder();

/** Characters of a sample; longer bodies are cut. */
export const sampleCharactersMax = 512;

/** Body in bytes [start, end) as text, cut to 512 characters. Bad UTF-8 becomes U+FFFD. */
export function sampleOf(bytes: Uint8Array, start: number, end: number): string {
  // Four bytes per character at most; a character cut in two at that end lies behind the 512th anyway.
  const text = decoder.decode(bytes.subarray(start, Math.min(end, start + sampleCharactersMax * 4)));
  if (text.length <= sampleCharactersMax) return text;
  const last = text.charCodeAt(sampleCharactersMax - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? sampleCharactersMax - 1 : sampleCharactersMax);
}
