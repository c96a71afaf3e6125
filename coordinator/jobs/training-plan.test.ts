import { describe, expect, it } from 'vitest';
import { trainingRunsMax } from '#protocol/mod.ts';
import { abandoned, begun, driftRestMs, dueTraining, ended, newTraining, withDrifts } from './training-plan.ts';

const hourMs = 3_600_000;
const schedule = { everyMs: 24 * hourMs, onDrift: true, rangeMs: 7 * 24 * hourMs };
const asked = { by: 'ana', atMs: 5, force: true };

describe('dueTraining', () => {
  it('comes an interval after the cluster began, and after each run', () => {
    const fresh = newTraining(1_000, 0);
    expect(dueTraining(fresh, schedule, 1_000 + 24 * hourMs - 1, 0)).toBeNull();
    const due = dueTraining(fresh, schedule, 1_000 + 24 * hourMs, 0);
    expect(due).toEqual({ trigger: 'schedule', by: 'leader', force: false });
    const running = begun(fresh, due!, 1_000 + 24 * hourMs, 0);
    expect(dueTraining(running, schedule, 99 * hourMs, 0)).toBeNull();
    const done = ended(running, { outcome: 'not_better', version: 0, detail: '' }, 25 * hourMs);
    expect(dueTraining(done, schedule, 1_000 + 48 * hourMs - 1, 0)).toBeNull();
    expect(dueTraining(done, schedule, 1_000 + 48 * hourMs, 0)?.trigger).toBe('schedule');
    expect(dueTraining(done, { ...schedule, everyMs: 0 }, 999 * hourMs, 0)).toBeNull();
  });

  it('comes as services drift, at most once an hour, and where a person asks at once', () => {
    const fresh = newTraining(0, 3);
    expect(dueTraining(fresh, schedule, driftRestMs - 1, 4)).toBeNull();
    expect(dueTraining(fresh, schedule, driftRestMs, 3)).toBeNull();
    expect(dueTraining(fresh, schedule, driftRestMs, 4)?.trigger).toBe('drift');
    expect(dueTraining(fresh, { ...schedule, onDrift: false }, driftRestMs, 4)).toBeNull();
    expect(dueTraining({ ...fresh, requested: asked }, schedule, 0, 0)).toEqual({
      trigger: 'asked',
      by: 'ana',
      force: true,
    });
    // Counts fall where a new model starts them over; drift is counted from there.
    expect(withDrifts(fresh, 1).drifts).toBe(1);
    expect(withDrifts(fresh, 9)).toBe(fresh);
  });

  it('goes on after a leader that was replaced half-way', () => {
    const running = begun(
      { ...newTraining(0, 0), requested: asked },
      { trigger: 'asked', by: 'ana', force: true },
      10,
      0,
    );
    expect(running.requested).toBeNull();
    const left = abandoned(running, 20);
    expect(left.runs).toMatchObject([{ outcome: 'failed', endedMs: 20 }]);
    expect(abandoned(left, 30)).toBe(left);
  });

  it('keeps the latest runs only', () => {
    let training = newTraining(0, 0);
    for (let i = 0; i < trainingRunsMax + 5; i++)
      training = ended(
        begun(training, { trigger: 'asked', by: `${i}`, force: false }, i, 0),
        { outcome: 'not_better', version: 0, detail: '' },
        i,
      );
    expect([training.runs.length, training.runs[0]?.by]).toEqual([trainingRunsMax, '5']);
  });
});
