import { describe, expect, it } from 'vitest';
import { type Answers, expire, forgive, hear, noAnswers, runExponent } from './pair-answers.ts';

/** A first every two seconds, each answered after 300 ms. */
function known(): Answers {
  const answers = noAnswers();
  for (let n = 0; n < 100; n++) {
    hear(answers, true, n * 2_000);
    hear(answers, false, n * 2_000 + 300);
    expire(answers, n * 2_000);
  }
  return answers;
}
function ask(answers: Answers, timesMs: readonly number[]): Answers {
  for (const timeMs of timesMs) hear(answers, true, timeMs);
  expire(answers, 1_000_000);
  return answers;
}

describe('answers of a pair', () => {
  it('that stay away one after the other are ruled out by their past', () => {
    const at = [300_000, 304_000, 308_000, 312_000];
    expect(runExponent(ask(known(), at))).toBeGreaterThan(6);
    // One that often goes without is asked more.
    const often = known();
    for (let n = 0; n < 100; n++) {
      const atMs = 200_000 + n * 10_000;
      hear(often, true, atMs);
      if (n % 4 > 0) hear(often, false, atMs + 50);
      expire(often, atMs + 8_000);
    }
    for (const timeMs of [1_300_000, 1_304_000, 1_308_000, 1_312_000]) hear(often, true, timeMs);
    expire(often, 2_000_000);
    expect(often.run).toBe(4);
    expect(runExponent(often)).toBeLessThan(6);
  });

  it('say nothing of a lump, of a single one, or of few known ones', () => {
    expect(runExponent(ask(known(), [300_000, 300_100, 300_200, 300_300]))).toBe(0);
    expect(runExponent(ask(known(), [300_000]))).toBe(0);
    expect(runExponent(ask(noAnswers(), [300_000, 310_000, 320_000]))).toBe(0);
  });

  it('may come before their first, and are not awaited beyond a pause', () => {
    const answers = known();
    hear(answers, false, 300_200);
    hear(answers, true, 300_000);
    expect(answers).toMatchObject({ waiting: [], early: [], run: 0, answered: 101 });
    hear(answers, true, 302_000);
    forgive(answers);
    expire(answers, 1_000_000);
    expect(answers.run).toBe(0);
  });
});
