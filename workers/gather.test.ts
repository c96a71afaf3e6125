import { describe, expect, it } from 'vitest';
import { admit, type Mark, startMark } from '#bus/mod.ts';
import {
  BatchBuilder,
  decodeResults,
  encodeResults,
  joinParts,
  messageBytesMax,
  RecordView,
  type ResultsMessage,
  type Section,
  viewOf,
} from '#protocol/mod.ts';
import { Gather } from './gather.ts';

function section(sequence: number, bytes = 0): Section {
  let batch: Section['batch'] = null;
  if (bytes > 0) {
    const builder = new BatchBuilder('live', 'test');
    let seed = sequence;
    for (let left = bytes; left > 0; left -= 50_000) {
      let body = '';
      while (body.length < 50_000) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        body += seed.toString(36);
      }
      builder.add(
        viewOf(
          { service: 's', body, severityNumber: 0, severityText: '' },
          { observedMs: 1, service: 's' },
          new RecordView(),
        ),
        1,
      );
    }
    batch = builder.take();
  }
  return {
    sequence,
    batch,
    enrichment: null,
    windows: [],
    templates: [],
    anomalies: [],
    duplicates: 0,
    deadLetter: null,
  };
}

/** What a reader that follows R3 takes from messages in this order. */
function read(messages: ResultsMessage[]): number[] {
  let mark: Mark = startMark;
  let parts: Uint8Array[] = [];
  const taken: number[] = [];
  for (const message of messages.map((one) => decodeResults(encodeResults(one)))) {
    const admission = admit(mark, message, message.part);
    if (admission.verdict === 'duplicate' || admission.verdict === 'gap') continue;
    mark = admission.mark;
    if (message.part === null) {
      taken.push(
        ...message.sections
          .filter((one) => admission.verdict === 'take' && one.sequence > admission.above)
          .map((one) => one.sequence),
      );
    } else {
      parts.push(message.part.bytes);
      if (message.part.last) {
        taken.push(joinParts(parts).sequence);
        parts = [];
      }
    }
  }
  return taken;
}

describe('Gather', () => {
  it('covers every sequence without a hole, empty ones included', () => {
    const gather = new Gather(1, 1, 10);
    for (const sequence of [12, 15, 16]) expect(gather.add(section(sequence), 1, 0)).toEqual([]);
    expect(gather.worthSending).toBe(false);
    gather.add(section(20, 100), 1, 0);
    expect(gather.worthSending).toBe(true);
    expect(gather.cut()).toMatchObject({ from: 10, to: 20, toMs: 1, anomaliesTo: 0, sections: [{ sequence: 20 }] });
    expect(gather.cut()).toBeNull();
    gather.add(section(25), 1, 0);
    expect(gather.cut()).toMatchObject({ from: 20, to: 25, sections: [] });
  });

  it('splits what does not fit a message, and a reader joins it, whoever published which part', () => {
    const one = new Gather(1, 1, 0);
    const messages = [
      ...one.add(section(3, 100_000), 1, 0),
      ...one.add(section(5, 2_000_000), 1, 0),
      ...one.add(section(6, 100_000), 1, 0),
    ];
    const last = one.cut();
    if (last !== null) messages.push(last);
    for (const message of messages) expect(encodeResults(message).length).toBeLessThan(messageBytesMax);
    expect(messages.filter((message) => message.part !== null).length).toBeGreaterThan(1);
    expect(read(messages)).toEqual([3, 5, 6]);
    const zombie = new Gather(1, 1, 0);
    const again = [...zombie.add(section(3, 100_000), 1, 0), ...zombie.add(section(5, 2_000_000), 1, 0)];
    expect(read([...messages.slice(0, 2), ...again, ...messages.slice(2)])).toEqual([3, 5, 6]);
  });
});
