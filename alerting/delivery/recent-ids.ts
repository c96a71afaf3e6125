/** The last so many ids, the oldest forgotten first. */
export class RecentIds {
  private readonly ids = new Set<string>();
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.add(id);
    if (this.ids.size <= this.most) return;
    const oldest = this.ids.values().next().value;
    if (oldest !== undefined) this.ids.delete(oldest);
  }
}
