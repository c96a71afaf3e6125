import { describe, expect, it } from 'vitest';
import { GoBackN } from './go-back-n.ts';

/** Publishes that are answered by hand. */
function setup(window = 8) {
  const sent: { subject: string; acknowledge: () => void; fail: () => void }[] = [];
  const wakes: (() => void)[] = [];
  const publisher = new GoBackN({
    publish: (subject) =>
      new Promise<void>((resolve, reject) => {
        sent.push({ subject, acknowledge: resolve, fail: () => reject(new Error('no answer')) });
      }),
    sleep: () => new Promise((resolve) => wakes.push(resolve)),
    window,
    queueBytesMax: 1_000,
  });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const wake = async (): Promise<void> => {
    for (const one of wakes.splice(0)) one();
    await settle();
  };
  return { publisher, sent, settle, wake, subjects: () => sent.splice(0).map(({ subject }) => subject) };
}

const nothing = new Uint8Array(1);

describe('GoBackN', () => {
  it('sends a failed message and all after it again, in order', async () => {
    const { publisher, sent, settle, wake, subjects } = setup();
    for (const subject of ['a', 'b', 'c']) void publisher.send(subject, nothing);
    const [a, b, c] = sent.splice(0);
    a?.acknowledge();
    c?.acknowledge();
    b?.fail();
    await settle();
    await wake();
    const again = sent.splice(0);
    expect(again.map(({ subject }) => subject)).toEqual(['b']);
    again[0]?.acknowledge();
    await settle();
    expect(subjects()).toEqual(['c']);
  });

  it('sends nothing behind a message that failed until it is acknowledged, however small that is', async () => {
    const { publisher, sent, settle, wake, subjects } = setup();
    for (const subject of ['a', 'b']) void publisher.send(subject, nothing);
    const [a, b] = sent.splice(0);
    a?.fail();
    b?.acknowledge();
    await settle();
    void publisher.send('c', nothing);
    for (let tries = 0; tries < 3; tries++) {
      await wake();
      const [again, ...others] = sent.splice(0);
      expect([again?.subject, others]).toEqual(['a', []]);
      again?.fail();
      await settle();
    }
    await wake();
    sent.splice(0)[0]?.acknowledge();
    await settle();
    expect(subjects()).toEqual(['b', 'c']);
  });

  it('still hears of a message that was sent before the one that failed', async () => {
    const { publisher, sent, settle, wake } = setup();
    for (const subject of ['a', 'b']) void publisher.send(subject, nothing);
    const [a, b] = sent.splice(0);
    b?.fail();
    await settle();
    await wake();
    const [again] = sent.splice(0);
    expect(again?.subject).toBe('b');
    again?.acknowledge();
    a?.acknowledge();
    await settle();
    expect(publisher.queued).toBe(0);
  });

  it('sends everything again from an earlier message that fails after a later one', async () => {
    const { publisher, sent, settle, wake, subjects } = setup();
    for (const subject of ['a', 'b', 'c']) void publisher.send(subject, nothing);
    const [a, b, c] = sent.splice(0);
    b?.fail();
    await settle();
    a?.fail();
    c?.acknowledge();
    await settle();
    await wake();
    const again = sent.splice(0);
    expect(again.map(({ subject }) => subject)).toEqual(['a']);
    again[0]?.acknowledge();
    await settle();
    expect(subjects()).toEqual(['b', 'c']);
  });
});
