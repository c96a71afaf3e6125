/**
 * Where a partition goes on reading LOGS, and what of it was taken before. Pure; `runner.ts` carries it out.
 *
 * Within a generation positions say it all. Under a new generation sequences may be given a second time: the stream
 * was made anew, or lost its tail and grew again. There a message is the one known by its sequence only if it was
 * stored no later than what we know of: time tells the old from the new, as both were stamped by the same server.
 */
import type { Position } from './checkpoints.ts';

export interface ResumeFrom {
  generation: number;
  /** Of the restored state; stream time in ms. Null: nothing is known, from the stream's start. */
  state: (Position & { streamMs: number }) | null;
  /** Newest RESULTS message: up to where, and when LOGS stored the message there, in ms. */
  published: (Position & { timeMs: number }) | null;
  /** Where messages of the partition are known to have been. */
  known: readonly Position[];
}

/** `skip`: in the state. `state`: changes the state, but its results are published. `whole`: is news. */
export type Share = 'skip' | 'state' | 'whole';

export interface Gap {
  from: number;
  to: number;
}

export class Resume {
  /** First sequence to read. */
  readonly fromSequence: number;
  private readonly from: ResumeFrom;
  /** Reads what an earlier generation may have taken. */
  private inherits: boolean;
  /** Positions of the state are of another generation, and say nothing of messages that are news. */
  private readonly isHandedOver: boolean;
  private isFirst = true;

  constructor(from: ResumeFrom) {
    this.from = from;
    const { generation, state, published } = from;
    const before = (one: Position | null): boolean => one !== null && one.generation < generation;
    this.inherits = before(state) || (state === null && before(published));
    this.isHandedOver = this.inherits;
    this.fromSequence = state === null || this.inherits ? 1 : Math.max(state.sequence, 1);
  }

  /** Until then, no state may become a checkpoint: what is published of an earlier generation would be told twice. */
  get isInheriting(): boolean {
    return this.inherits;
  }

  /**
   * What a message is to the state. Null where it is not the message that the position says: the stream was changed.
   * Messages are given in order, and after the first that is news all are.
   */
  share(message: { sequence: number; timeMs: number }): Share | null {
    const { state, published } = this.from;
    if (this.inherits) {
      if (state !== null && isOld(message, state.sequence, state.streamMs)) return 'skip';
      if (published !== null && isOld(message, published.sequence, published.timeMs)) return 'state';
      this.inherits = false;
      return 'whole';
    }
    // Behind a state from before the cut, a stream that lost its tail and grew again has other messages where results
    // were published already: taken for those, they would be in nobody's tables.
    if (published?.generation === this.from.generation && isOther(message, published)) return null;
    if (this.isHandedOver || state === null || message.sequence > state.sequence) return 'whole';
    return message.timeMs <= state.streamMs ? 'skip' : null;
  }

  /** The hole between the state and the first message that the stream still has, given that message; told once. */
  gapBefore(sequence: number): Gap | null {
    if (!this.isFirst) return null;
    this.isFirst = false;
    const { generation, state, known } = this.from;
    if (this.isHandedOver) return null;
    const at = state?.sequence ?? 0;
    const missed = known.some((one) => one.generation === generation && one.sequence > at && one.sequence < sequence);
    return missed ? { from: at + 1, to: sequence - 1 } : null;
  }
}

/** Stored later than the message at `at` was, and yet not behind it. */
function isOther(message: { sequence: number; timeMs: number }, at: { sequence: number; timeMs: number }): boolean {
  return message.sequence <= at.sequence && message.timeMs > at.timeMs;
}

function isOld(message: { sequence: number; timeMs: number }, sequence: number, timeMs: number): boolean {
  return message.sequence <= sequence && message.timeMs <= timeMs;
}
