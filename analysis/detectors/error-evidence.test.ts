import { describe, expect, it } from 'vitest';
import { type ObservedEvent, WindowState } from '#analysis/windows/mod.ts';
import { ErrorEvidence } from './error-evidence.ts';
import { Beats } from './beats.ts';
import { History } from './history.ts';
import { TemplateTable } from './template-table.ts';

function eventOf(templateSlot: number, errorChance: number, severityNumber = 9, isStated = false): ObservedEvent {
  const bytes = new Uint8Array(0);
  const numbers = new Float64Array(0);
  const times = { timeMs: 0, streamTimeMs: 0, sequence: 1 };
  const body = { isNewTemplate: false, numbers, numberCount: 0, bytes, start: 0, end: 0 };
  return { ...times, ...body, severityNumber, isStated, errorChance, templateSlot };
}

describe('ErrorEvidence', () => {
  it('takes what the sender says', () => {
    const evidence = new ErrorEvidence();
    expect(evidence.classOf(eventOf(0, 0.99, 9, true))).toBe(2);
    expect(evidence.classOf(eventOf(0, 0.01, 17, true))).toBe(4);
    expect(evidence.mayBeError(0)).toBe(false);
  });

  it('counts what is rare at less than even odds, and what is common not at all', () => {
    const evidence = new ErrorEvidence();
    const table = new TemplateTable();
    const history = new History(128);
    for (let at = 0; at < 8; at++) {
      const window = new WindowState(at * 30_000, 30_000);
      const add = (slot: number, chance: number, severity = 9): void => {
        const event = eventOf(slot, chance, severity);
        window.add(event, at * 30_000, evidence.classOf(event));
      };
      for (let n = 0; n < 200; n++) add(0, 0.01);
      for (let n = 0; n < 30; n++) add(1, 0.8, 17);
      if (at % 4 === 0) add(2, 0.35);
      window.close();
      table.push(window, at, true, () => false);
      history.push(window, new Beats(30_000, 5_000));
      evidence.review(at, table, history);
    }
    expect(evidence.classOf(eventOf(1, 0.8, 17))).toBe(2);
    expect(evidence.classOf(eventOf(2, 0.35))).toBe(4);
    // The history is as if the common one had never counted.
    expect(history.sum('errorCount')).toBeLessThanOrEqual(4);
    expect(evidence.mayBeError(1)).toBe(true);
    expect(evidence.mayBeError(0)).toBe(false);

    const restored = new ErrorEvidence();
    restored.restore(evidence.snapshot());
    expect(restored.snapshot()).toEqual(evidence.snapshot());
  });

  it('takes few messages for errors, the rare ones rather than the common', () => {
    const evidence = new ErrorEvidence();
    const table = new TemplateTable();
    const history = new History(128);
    for (let at = 0; at < 16; at++) {
      const window = new WindowState(at * 30_000, 30_000);
      const add = (slot: number, chance: number): void => {
        const event = eventOf(slot, chance);
        window.add(event, at * 30_000, evidence.classOf(event));
      };
      for (let n = 0; n < 200; n++) add(0, 0.01);
      for (let n = 0; n < 5; n++) add(1, 0.9);
      for (let n = 0; n < 3; n++) add(2, 0.85);
      if (at % 2 === 0) add(3, 0.85);
      window.close();
      table.push(window, at, true, () => false);
      history.push(window, new Beats(30_000, 5_000));
      evidence.review(at, table, history);
    }
    expect([1, 2, 3].map((slot) => evidence.classOf(eventOf(slot, 0.85)))).toEqual([2, 4, 4]);
  });
});
