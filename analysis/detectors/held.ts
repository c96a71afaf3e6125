import type { ObservedEvent } from '#analysis/windows/mod.ts';

/**
 * One record kept back: its event time is far ahead of everything before it, and only the next record tells whether
 * time moved on or this one is wrong. So a single record with a broken clock cannot close the windows of the others.
 */
export interface HeldEvent {
  timeMs: number;
  severityNumber: number;
  isStated: boolean;
  errorChance: number;
  templateSlot: number;
  isNewTemplate: boolean;
  numbers: number[];
  /** The body, cut. */
  bytes: Uint8Array;
}

const bytesMax = 2048;
const numbersMax = 32;

export function hold(event: ObservedEvent, timeMs: number): HeldEvent {
  return {
    timeMs,
    severityNumber: event.severityNumber,
    isStated: event.isStated,
    errorChance: event.errorChance,
    templateSlot: event.templateSlot,
    isNewTemplate: event.isNewTemplate,
    numbers: Array.from(event.numbers.subarray(0, Math.min(event.numberCount, numbersMax))),
    bytes: event.bytes.slice(event.start, Math.min(event.end, event.start + bytesMax)),
  };
}

/** The held record as it would have come, in the step that settles it. */
export function release(held: HeldEvent, streamTimeMs: number, sequence: number): ObservedEvent {
  return {
    ...held,
    streamTimeMs,
    sequence,
    numbers: Float64Array.from(held.numbers),
    numberCount: held.numbers.length,
    start: 0,
    end: held.bytes.length,
  };
}
