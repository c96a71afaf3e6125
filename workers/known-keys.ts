/**
 * Idempotency keys that a partition remembers: key → next ordinal that is new. Bounded in number and in stream time,
 * the first come forgotten first; part of the partition's state. Knows what changed since an earlier state was taken.
 */
interface Known {
  next: number;
  /** Stream time of its first record, ms: a retry does not make it last longer. */
  cameMs: number;
  /** Rounds in which it came, and in which it last changed. */
  cameIn: number;
  changedIn: number;
}

/** Key, next ordinal, 1 where it came since, stream time when it came. */
type KeyChange = [key: string, next: number, isNew: 0 | 1, cameMs: number];

export class KnownKeys {
  private readonly keys = new Map<string, Known>();
  private readonly max: number;
  private readonly keptMs: number;

  /** @param keptMs how long a key is remembered from its first record on, stream time */
  constructor(max: number, keptMs: number) {
    this.max = max;
    this.keptMs = keptMs;
  }

  /** Forgets what is older than it may be. To be called at every message: what is known is then a matter of its time alone. */
  forget(streamMs: number): void {
    for (const [key, { cameMs }] of this.keys) {
      if (streamMs - cameMs <= this.keptMs) return;
      this.keys.delete(key);
    }
  }

  /** True where the record came before; else remembers it. `round`: of the state taken next. */
  isRepeat(key: string, ordinal: number, round: number, streamMs: number): boolean {
    const known = this.keys.get(key);
    if (known !== undefined) {
      if (ordinal < known.next) return true;
      known.next = ordinal + 1;
      known.changedIn = round;
      return false;
    }
    this.keys.set(key, { next: ordinal + 1, cameMs: streamMs, cameIn: round, changedIn: round });
    this.bound();
    return false;
  }

  /** In the order they came. */
  changes(since: number): KeyChange[] {
    const changes: KeyChange[] = [];
    for (const [key, { next, cameMs, cameIn, changedIn }] of this.keys)
      if (changedIn > since) changes.push([key, next, cameIn > since ? 1 : 0, cameMs]);
    return changes;
  }

  /** Takes what an object of the chain says; all of it belongs to `round`. */
  apply(changes: readonly KeyChange[], round: number): void {
    for (const [key, next, isNew, cameMs] of changes) {
      // Forgotten and come again: its place is that of a new one.
      if (isNew === 1) this.keys.delete(key);
      this.keys.set(key, { next, cameMs, cameIn: round, changedIn: round });
    }
    this.bound();
  }

  private bound(): void {
    while (this.keys.size > this.max) this.keys.delete(this.keys.keys().next().value as string);
  }
}
