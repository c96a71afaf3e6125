/**
 * Idempotency keys that a partition remembers: key → next ordinal that is new. Bounded, the first come forgotten
 * first; part of the partition's state. Knows what changed since an earlier state was taken.
 */
interface Known {
  next: number;
  /** Rounds in which it came, and in which it last changed. */
  cameIn: number;
  changedIn: number;
}

/** Key, next ordinal, 1 where it came since. */
type KeyChange = [key: string, next: number, isNew: 0 | 1];

export class KnownKeys {
  private readonly keys = new Map<string, Known>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** True where the record came before; else remembers it. `round`: of the state taken next. */
  isRepeat(key: string, ordinal: number, round: number): boolean {
    const known = this.keys.get(key);
    if (known !== undefined) {
      if (ordinal < known.next) return true;
      known.next = ordinal + 1;
      known.changedIn = round;
      return false;
    }
    this.keys.set(key, { next: ordinal + 1, cameIn: round, changedIn: round });
    this.bound();
    return false;
  }

  /** In the order they came. */
  changes(since: number): KeyChange[] {
    const changes: KeyChange[] = [];
    for (const [key, { next, cameIn, changedIn }] of this.keys)
      if (changedIn > since) changes.push([key, next, cameIn > since ? 1 : 0]);
    return changes;
  }

  /** Takes what an object of the chain says; all of it belongs to `round`. */
  apply(changes: readonly KeyChange[], round: number): void {
    for (const [key, next, isNew] of changes) {
      // Forgotten and come again: its place is that of a new one.
      if (isNew === 1) this.keys.delete(key);
      this.keys.set(key, { next, cameIn: round, changedIn: round });
    }
    this.bound();
  }

  private bound(): void {
    while (this.keys.size > this.max) this.keys.delete(this.keys.keys().next().value as string);
  }
}
