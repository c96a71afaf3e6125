/** Bytes held for each source. Only sources that hold something are kept, and those only up to a number. */

/** Sources told apart; the others share one name, and with it one share. */
export const sourcesMax = 4_096;

export class HeldBytes {
  total = 0;
  private readonly bySource = new Map<string, number>();
  private readonly sourcesMax: number;
  /** Records of a source come in runs: counted together. */
  private last = '';
  private lastBytes = 0;

  constructor(most = sourcesMax) {
    this.sourcesMax = most;
  }

  get sources(): number {
    return this.bySource.size;
  }

  /** The name under which a source is counted: give back under it. */
  nameOf(source: string): string {
    this.flush(this.last);
    return this.bySource.has(source) || this.bySource.size < this.sourcesMax ? source : '';
  }

  add(name: string, bytes: number): void {
    this.total += bytes;
    if (name !== this.last) this.flush(name);
    this.lastBytes += bytes;
  }

  of(source: string): number {
    this.flush(this.last);
    return this.bySource.get(this.nameOf(source)) ?? 0;
  }

  /** What each holds; empties this. */
  take(): Map<string, number> {
    this.flush('');
    const taken = new Map(this.bySource);
    this.bySource.clear();
    this.total = 0;
    return taken;
  }

  private flush(next: string): void {
    if (this.lastBytes !== 0) {
      const bytes = (this.bySource.get(this.last) ?? 0) + this.lastBytes;
      if (bytes > 0) this.bySource.set(this.last, bytes);
      else this.bySource.delete(this.last);
    }
    this.last = next;
    this.lastBytes = 0;
  }
}
