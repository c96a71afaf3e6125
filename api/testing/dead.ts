/** Dead letters of a desk that holds a few. */
import type { DeadDesk } from '../ports.ts';
import type { DeadLetterDetail } from '../types.ts';

const seed = [
  { reason: 'malformed', receiver: 'ingest', source: '10.0.0.7', detail: 'not JSON: Unexpected end', text: '{"msg":' },
  { reason: 'too_long', receiver: 'syslog', source: '10.0.0.9', detail: 'the message is too long', text: '<13>xxxx' },
  { reason: 'malformed', receiver: 'gelf', source: '10.0.0.7', detail: 'not JSON', text: 'a\\x1b[2Jb' },
];

export function fakeDead(nowMs: number): DeadDesk {
  const letters = seed.map(
    (one, index): DeadLetterDetail => ({
      ...one,
      // The first has the id that tests ask of every endpoint.
      id: index === 0 ? '000a1b2c3d4e5f60' : String(seed.length - index),
      service: '',
      atMs: nowMs - (index + 1) * 120_000,
      byteCount: one.text.length,
      line: one.text,
      canRetry: one.receiver !== 'gelf',
      kind: 'text',
      bytesMore: 0,
    }),
  );
  return {
    kinds: async ({ range }, stepMs) =>
      letters.map(({ reason, receiver, atMs }) => {
        const steps = Array.from({ length: Math.ceil((range.toMs - range.fromMs) / stepMs) }, () => 0);
        const step = Math.floor((atMs - range.fromMs) / stepMs);
        if (step >= 0 && step < steps.length) steps[step] = 1;
        return { reason, receiver, count: 1, steps };
      }),
    letters: async ({ reason }, { limit }) => ({
      items: letters.filter((one) => reason === undefined || one.reason === reason).slice(0, limit),
      next: null,
    }),
    letter: async (id) => letters.find((one) => one.id === id) ?? null,
  };
}
