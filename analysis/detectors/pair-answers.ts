/**
 * The second of a pair, awaited after each first: how long it usually takes, how often it stays away on a good day, and
 * how many in a row have stayed away now. One is matched with the oldest that waits, so no key is needed; O(1) per record.
 */

/** Those that wait; what is beyond is not awaited. */
const waitingMax = 128;
/** Records may come in another order by so much. */
const disorderMs = 2_000;
/** The wait: so many times the longest answer, which fades, and between these. */
const waitFactor = 1.5;
const waitMsMin = 1_500;
const waitMsMax = 60_000;
const longestFading = 0.998;
/** Counts are halved here, so that they follow the service. */
const agedAt = 512;
/** Answers that must be known. */
const answeredMin = 24;
/** A lump, or what a restart cut off, lies closer together than this, and than an answer may take. */
const spreadMsMin = 8_000;

export interface Answers {
  /** The first of the pair is its `a`. */
  isAFirst: boolean;
  /** Times of firsts without an answer, and of answers whose first may still come, oldest first. */
  waiting: number[];
  early: number[];
  longestMs: number;
  answered: number;
  lost: number;
  /** Without an answer, in a row, and when the first and the last of them were said. */
  run: number;
  runFromMs: number;
  runToMs: number;
}

export function noAnswers(isAFirst = true): Answers {
  return { isAFirst, waiting: [], early: [], longestMs: 5_000, answered: 0, lost: 0, run: 0, runFromMs: 0, runToMs: 0 };
}

export function waitMs({ longestMs }: Answers): number {
  return Math.min(waitMsMax, Math.max(waitMsMin, waitFactor * longestMs));
}

/** A first, or an answer. */
export function hear(answers: Answers, isFirst: boolean, timeMs: number): void {
  const { waiting, early } = answers;
  if (isFirst) {
    const at = early.findIndex((one) => one >= timeMs);
    if (at >= 0) {
      early.splice(at, 1);
      answer(answers, 0, timeMs);
    } else if (waiting.length < waitingMax) {
      let place = waiting.length;
      while (place > 0 && (waiting[place - 1] as number) > timeMs) place--;
      waiting.splice(place, 0, timeMs);
    }
    return;
  }
  const first = waiting[0];
  if (first !== undefined && first <= timeMs + disorderMs) {
    waiting.shift();
    answer(answers, Math.max(0, timeMs - first), first);
  } else if (early.length < waitingMax) early.push(timeMs);
}

/** Nothing more comes from before that time: whose wait is over stays without an answer. */
export function expire(answers: Answers, untilMs: number): void {
  const { waiting, early } = answers;
  const before = untilMs - waitMs(answers);
  while (waiting.length > 0 && (waiting[0] as number) <= before) {
    const atMs = waiting.shift() as number;
    if (answers.run === 0) answers.runFromMs = atMs;
    answers.run++;
    answers.runToMs = atMs;
  }
  while (early.length > 0 && (early[0] as number) <= untilMs - disorderMs) early.shift();
}

/** −log10 of the chance that so many in a row stay without an answer; 0 where they may be a lump. */
export function runExponent(answers: Answers): number {
  const { run, runFromMs, runToMs, answered, lost } = answers;
  if (run < 2 || answered < answeredMin) return 0;
  if (runToMs - runFromMs < Math.max(spreadMsMin, waitMs(answers))) return 0;
  return -run * Math.log10((lost + 0.5) / (answered + lost + 1));
}

/** The service paused, or is not itself: what is awaited says nothing. */
export function forgive(answers: Answers): void {
  answers.waiting = [];
  answers.early = [];
  answers.run = 0;
}

function answer(answers: Answers, tookMs: number, firstMs: number): void {
  answers.longestMs = Math.max(tookMs, longestFading * answers.longestMs);
  answers.answered++;
  if (answers.run > 0 && firstMs > answers.runToMs) {
    answers.lost += answers.run;
    answers.run = 0;
  }
  if (answers.answered + answers.lost > agedAt) {
    answers.answered /= 2;
    answers.lost /= 2;
  }
}
