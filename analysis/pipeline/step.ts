/** What a step says of a record. Outcomes are made once per step and reason, and count themselves. */
import type { Item } from './item.ts';
import { choice } from './reading.ts';

export type OutcomeKind = 'ok' | 'drop' | 'dead' | 'redirect';

export class Outcome {
  readonly kind: OutcomeKind;
  /** Step, as configuration and metrics name it; '' for what passed all. */
  readonly step: string;
  readonly reason: string;
  count = 0;

  constructor(kind: OutcomeKind, step: string, reason: string) {
    this.kind = kind;
    this.step = step;
    this.reason = reason;
  }
}

/** The step has nothing to say: the next one is asked. */
export const pass = new Outcome('ok', '', '');

export interface Step {
  /** All that it may say but `pass`; those of kind `ok` are counted and the next step is asked. */
  readonly outcomes: readonly Outcome[];
  run(item: Item): Outcome;
}

/** What `onMiss` makes of a record that a step cannot work on. */
export const missKinds = ['keep', 'drop', 'dead'] as const;

/** @throws LogweirError CONFIG_INVALID */
export function missOutcome(raw: unknown, path: string, step: string, reason: string): Outcome {
  const kind = raw === undefined ? 'keep' : choice(raw, path, missKinds);
  return new Outcome(kind === 'keep' ? 'ok' : kind, step, reason);
}
