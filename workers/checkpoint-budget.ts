/**
 * How often a process may checkpoint: as configured, or more rarely where that would cost more than its share of a
 * core. A checkpoint that comes later is as right as any; only more is replayed after it, and LOGS keeps more. Where
 * that is short of room, checkpoints may cost more: clients are refused until the oldest one kept has moved. Pure.
 */
export interface BudgetOptions {
  /** Wanted time between two checkpoints of a partition, ms. */
  everyMs: number;
  /** Never more rarely than this, ms, or than `everyMs` where that is longer. Default 30_000. */
  everyMsMax?: number;
  /** Share of a core that the checkpoints of the process may take. Default 0.02. */
  coreShare?: number;
  /** The same while LOGS is short of room. Default 0.2. */
  coreShareShort?: number;
}

/** Checkpoints over which the cost is averaged: bases and changes alternate. */
const horizon = 64;

export class CheckpointBudget {
  private readonly options: Required<BudgetOptions>;
  private averageMs = 0;
  private taken = 0;
  /** LOGS is short of room, which it gets as checkpoints move on. */
  isShort = false;

  constructor({ everyMs, everyMsMax = 30_000, coreShare = 0.02, coreShareShort = 0.2 }: BudgetOptions) {
    this.options = { everyMs, everyMsMax: Math.max(everyMsMax, everyMs), coreShare, coreShareShort };
  }

  /** One checkpoint of one partition kept the process busy so long. */
  spent(ms: number): void {
    this.taken++;
    this.averageMs += (ms - this.averageMs) / Math.min(this.taken, horizon);
  }

  /** Time between two checkpoints of a partition, ms, where the process runs so many busy ones. */
  everyMs(partitions: number): number {
    const { everyMs, everyMsMax, coreShare, coreShareShort } = this.options;
    if (this.taken < horizon / 4) return everyMs;
    const share = this.isShort ? coreShareShort : coreShare;
    return Math.min(Math.max(everyMs, (this.averageMs * partitions) / share), everyMsMax);
  }
}
