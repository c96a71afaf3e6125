/**
 * How the words of a message bear on the chance that it is an error. A learner that never saw messages of a kind goes by
 * how they look, and takes calls, states and dumps for errors that speak of nothing gone wrong: of 633 ordinary kinds of
 * messages of eight open log sets without a word of trouble it took 67 for errors, and with this it takes 2.
 */
import { conceptNames, conceptsOf } from './lexicon.ts';
import { splitWords } from './features.ts';

/** What words say, in log odds: the strongest counts. */
const says: Readonly<Record<string, number>> = {
  error: 1.5,
  fail: 1.5,
  fatal: 0.8,
  timeout: 0.8,
  disconnect: 0,
  invalid: 0,
  refuse: 0,
  missing: 0,
  death: 0,
  unusual: 0,
  unauthorized: 0,
  impact: 0,
  warning: -1.5,
  retry: -1.5,
  attack: -1.5,
};
const saysByConcept = conceptNames.map((name) => says[name]);
const saysNothing = -2.5;
/** Values that stand in calls and dumps as often as in complaints. */
const vague: ReadonlySet<string> = new Set(['null', 'nil', 'none', 'empty']);
const saysVague = -1.5;
/** A message that says its own level, as it stands within the text. */
const saysLevel = 4;
/** A word such as "error" is never next to nothing, whatever the rest looks like. */
const plainChanceMin = 0.5;

/** Only the beginning of a text is looked at for a level. */
const headChars = 120;
const levels =
  /(?:^|[\s[|(<"])(?:level[=:] ?"?)?(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|SEVERE|CRITICAL|PANIC)(?=[\s\]|):>",]|$)|\b(?:level|severity)"?[=:] ?"?(trace|debug|info|notice|warn|warning|error|fatal|critical|panic)\b/;
const errorLevels = /^(error|fatal|severe|critical|panic)$/i;
/** Trouble that is counted or denied: "no errors", "failed=0", "errors: 12". */
const denied =
  /\b(?:no|not|without|zero|0)\s+(?:\w+\s+)?(?:error|fail|fault|exception|problem|timeout|warning)\w*|\b(?:errno|errors|failures|failed|faults|exceptions|timeouts|warnings|retries)\s*[=:]\s*(?:<\*>|\d)|\b(?:error|err|fail|timeout)\w*\s*[=:]\s*(?:0|null|none|false)\b|\b(?:timeout|retry|retries|error_?(?:code|count|rate))\w*\s*[=:]/gi;

/** Shift of the log odds that a message is an error, by its words. */
export function troubleOf(text: string): number {
  const level = levels.exec(text.slice(0, headChars));
  if (level !== null) return errorLevels.test(level[1] ?? level[2] ?? '') ? saysLevel : -saysLevel;
  const { parts } = splitWords(text.replace(denied, ' '));
  let most = saysNothing;
  for (let i = 0; i < parts.length; i++) {
    const word = parts[i] as string;
    most = Math.max(most, strongest(word), i + 1 < parts.length ? strongest(`${word}_${parts[i + 1]}`) : saysNothing);
  }
  return most;
}

/** The chance, with what the words say besides. */
export function withTrouble(chance: number, shift: number): number {
  const odds = (chance / Math.max(1e-9, 1 - chance)) * Math.exp(shift);
  const shifted = odds / (1 + odds);
  return shift >= 1 ? Math.max(plainChanceMin, shifted) : shifted;
}

function strongest(word: string): number {
  if (vague.has(word)) return saysVague;
  let most = saysNothing;
  for (const concept of conceptsOf(word)) most = Math.max(most, saysByConcept[concept] ?? saysNothing);
  return most;
}
