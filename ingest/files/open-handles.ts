/** Handles of followed files, held open up to a number: those read longest ago are closed first and opened again when needed. */
import type { FileHandle } from 'node:fs/promises';

export interface HandleOwner {
  handle: FileHandle | undefined;
}

export class OpenHandles {
  private readonly max: number;
  /** In the order of use. */
  private readonly owners = new Set<HandleOwner>();

  constructor(max: number) {
    this.max = max;
  }

  get count(): number {
    return this.owners.size;
  }

  /** To be called whenever an owner uses its handle. */
  async used(owner: HandleOwner): Promise<void> {
    this.owners.delete(owner);
    this.owners.add(owner);
    if (this.owners.size <= this.max) return;
    const [oldest] = this.owners;
    if (oldest !== undefined) await this.close(oldest);
  }

  async close(owner: HandleOwner): Promise<void> {
    this.owners.delete(owner);
    const { handle } = owner;
    owner.handle = undefined;
    await handle?.close().catch(() => undefined);
  }
}
