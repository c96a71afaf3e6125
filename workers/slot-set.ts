/** A set of template slots that costs one store a record: slots are few and small numbers. */
export class SlotSet {
  private flags = new Uint8Array(64);

  constructor(slots: readonly number[] = []) {
    for (const slot of slots) this.add(slot);
  }

  add(slot: number): void {
    if (slot >= this.flags.length) {
      const grown = new Uint8Array(Math.max(slot + 1, this.flags.length * 2));
      grown.set(this.flags);
      this.flags = grown;
    }
    this.flags[slot] = 1;
  }

  delete(slot: number): void {
    if (slot < this.flags.length) this.flags[slot] = 0;
  }

  clear(): void {
    this.flags.fill(0);
  }

  /** Rising. */
  slots(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.flags.length; slot++) if (this.flags[slot] === 1) slots.push(slot);
    return slots;
  }
}
