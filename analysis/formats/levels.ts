/** Finds the severity words that senders write, where they stand in a header. Numbers come from #protocol/severity.ts. */
import { isAlnum, isLetter, isUpper } from './scan.ts';

/** `sure`: nobody begins a sentence so. `marked`: counts only in brackets, or before a colon, comma or column gap. */
type Certainty = 'sure' | 'marked';

const levels: ReadonlyMap<string, Certainty> = new Map(
  (
    [
      ['TRACE', 'sure'],
      ['TRC', 'sure'],
      ['DEBUG', 'sure'],
      ['DBG', 'sure'],
      ['INFO', 'sure'],
      ['INF', 'sure'],
      ['INFORMATION', 'marked'],
      ['WARN', 'sure'],
      ['WRN', 'sure'],
      ['WARNING', 'marked'],
      ['ERROR', 'marked'],
      ['ERR', 'sure'],
      ['FATAL', 'sure'],
      ['SEVERE', 'marked'],
      ['CRITICAL', 'marked'],
      ['CRIT', 'sure'],
      ['NOTICE', 'marked'],
      ['ALERT', 'marked'],
      ['EMERG', 'sure'],
      ['EMERGENCY', 'marked'],
      ['PANIC', 'marked'],
      ['VERBOSE', 'marked'],
      ['FINE', 'marked'],
      ['FINER', 'marked'],
      ['FINEST', 'sure'],
      ['CONFIG', 'marked'],
      ['LOG', 'marked'],
      ['FAILURE', 'marked'],
    ] as [string, Certainty][]
  ).flatMap(([name, certainty]) => {
    const upper: Certainty = ['LOG', 'CONFIG', 'FINE', 'FAILURE', 'PANIC', 'ALERT'].includes(name) ? 'marked' : 'sure';
    const title = name.charAt(0) + name.slice(1).toLowerCase();
    return [
      [name, upper],
      [title, certainty],
      [name.toLowerCase(), certainty],
    ] as [string, Certainty][];
  }),
);
for (const number of [1, 2, 3, 4, 5]) (levels as Map<string, Certainty>).set(`DEBUG${number}`, 'sure');

/** Longest level word in characters. */
const levelLengthMax = 11;

/** End of the level word at `at` if one stands there as a word, else -1. `marked` words need a mark behind them. */
export function levelEnd(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (!isLetter(first)) return -1;
  let end = at + 1;
  const limit = at + levelLengthMax + 1;
  while (end < limit && isAlnum(text.charCodeAt(end))) end++;
  if (end - at < 3 || end - at > levelLengthMax) return -1;
  const certainty = levels.get(text.slice(at, end));
  if (certainty === undefined) return -1;
  const next = text.charCodeAt(end);
  if (certainty === 'sure') return next !== 45 && next !== 46 && next !== 95 && next !== 61 ? end : -1;
  // colon, comma, bracket, pipe, tab, or a gap of two spaces
  const marked =
    next === 58 ||
    next === 44 ||
    next === 93 ||
    next === 124 ||
    next === 9 ||
    (next === 32 && text.charCodeAt(end + 1) === 32);
  return marked ? end : -1;
}

/** True for a whole word that is a level in a place where only levels stand (brackets, fields, columns). */
export function isLevelWord(word: string): boolean {
  return levels.has(word) || (word.length === 1 && 'VTDIWEFCN'.includes(word));
}

/** One-letter level before an upper-case, dotted or colon-ended token, as MongoDB and zap's short forms write. */
export function letterLevelEnd(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (!isUpper(code) || text.charCodeAt(at + 1) !== 32) return -1;
  return 'VTDIWEFC'.includes(text.charAt(at)) ? at + 1 : -1;
}
