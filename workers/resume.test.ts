import { describe, expect, it } from 'vitest';
import { Resume, type ResumeFrom } from './resume.ts';

/** A partition that published up to message 90, stored at 9_000 ms, with a checkpoint at 40. */
const base: ResumeFrom = {
  generation: 1,
  state: { generation: 1, sequence: 40, streamMs: 4_000 },
  published: { generation: 1, sequence: 90, timeMs: 9_000 },
  known: [],
};

describe('where a partition goes on in the same generation', () => {
  it('skips what is in the state and takes what lies behind it', () => {
    const resume = new Resume(base);
    expect(resume.fromSequence).toBe(40);
    expect(resume.share({ sequence: 40, timeMs: 4_000 })).toBe('skip');
    expect(resume.share({ sequence: 41, timeMs: 4_100 })).toBe('whole');
    expect(resume.share({ sequence: 90, timeMs: 9_000 })).toBe('whole');
    expect(resume.share({ sequence: 91, timeMs: 9_100 })).toBe('whole');
  });

  it('sees that the stream lost its tail and grew again, from the state on', () => {
    expect(new Resume(base).share({ sequence: 40, timeMs: 9_500 })).toBeNull();
  });

  it('sees it behind the state, where results were published of other messages', () => {
    const resume = new Resume(base);
    expect(resume.share({ sequence: 40, timeMs: 4_000 })).toBe('skip');
    expect(resume.share({ sequence: 60, timeMs: 9_500 })).toBeNull();
    expect(new Resume({ ...base, state: null }).share({ sequence: 60, timeMs: 9_500 })).toBeNull();
  });
});

describe('where a partition goes on in a new generation', () => {
  it('tells the new messages from the old by the time they were stored', () => {
    const resume = new Resume({ ...base, generation: 2 });
    expect(resume.fromSequence).toBe(1);
    expect(resume.share({ sequence: 39, timeMs: 3_900 })).toBe('skip');
    expect(resume.share({ sequence: 41, timeMs: 4_100 })).toBe('state');
    expect(resume.isInheriting).toBe(true);
    expect(resume.share({ sequence: 60, timeMs: 9_500 })).toBe('whole');
    expect(resume.isInheriting).toBe(false);
  });
});
