import { describe, expect, it } from 'vitest';
import { ErrorTrail } from './error-shape.ts';
import { poissonOf, randomOf } from './test-stream.ts';

const usual = 0.01;

/** Errors second by second, for twelve minutes, at a rate that depends on the seconds since the fault began. */
function trailOf(seed: number, faultSeconds: number, rateAt: (seconds: number) => number): ErrorTrail {
  const random = randomOf(seed);
  const trail = new ErrorTrail();
  for (let second = 0; second < 720; second++) {
    const since = second - (720 - faultSeconds);
    const rate = usual + (since < 0 ? 0 : rateAt(since));
    for (let n = poissonOf(random, rate); n > 0; n--) trail.add(1_700_000_000_000 + second * 1000);
  }
  return trail;
}

function meanLead(faultSeconds: number, rateAt: (seconds: number) => number): number {
  let sum = 0;
  for (let seed = 1; seed <= 40; seed++) sum += trailOf(seed, faultSeconds, rateAt).stepLead(usual, 1);
  return sum / 40;
}

describe('ErrorTrail', () => {
  it('takes what sets in at once for a step within half a minute', () =>
    expect(meanLead(30, () => 0.4)).toBeGreaterThan(3));

  it('takes what grows for ten minutes for a rise', () =>
    expect(meanLead(600, (seconds) => seconds / 1500)).toBeLessThan(-3));

  it('is the surer the higher a step is', () =>
    expect(meanLead(30, () => 0.8)).toBeGreaterThan(meanLead(30, () => 0.3)));

  it('sees less of a shape where errors come in lumps', () => {
    const trail = trailOf(1, 30, () => 0.4);
    expect(trail.stepLead(usual, 3)).toBeCloseTo(trail.stepLead(usual, 1) / 3);
  });

  it('goes on from a snapshot', () => {
    const trail = trailOf(2, 45, () => 0.3);
    const other = new ErrorTrail();
    other.restore(trail.snapshot());
    for (const one of [trail, other]) one.add(1_700_000_000_000 + 725_000);
    expect(other.stepLead(usual, 1)).toBe(trail.stepLead(usual, 1));
  });
});
