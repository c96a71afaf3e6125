/**
 * Connections of the embedded engine, kept for queries that want them set up alike: closing one waits for every
 * native call in the process, so under long queries a connection a query would pile up (240 kB each).
 */
import type { Session } from 'chdb';

/** Idle connections kept. */
const idleMax = 32;

export class SessionPool {
  private readonly open: () => Session;
  /** Insertion order is the order of last use. */
  private readonly idle = new Map<string, Session[]>();
  private idleCount = 0;

  constructor(open: () => Session) {
    this.open = open;
  }

  /** @param key everything that was set on the connection: two with the same key are the same to a query. */
  acquire(key: string): { session: Session; fresh: boolean } {
    const known = this.idle.get(key);
    const session = known?.pop();
    if (session === undefined) return { session: this.open(), fresh: true };
    this.idleCount--;
    if (known?.length === 0) this.idle.delete(key);
    return { session, fresh: false };
  }

  release(key: string, session: Session): void {
    const others = this.idle.get(key) ?? [];
    this.idle.delete(key);
    this.idle.set(key, [...others, session]);
    this.idleCount++;
    if (this.idleCount > idleMax) this.evict();
  }

  private evict(): void {
    for (const [key, sessions] of this.idle) {
      sessions.shift()?.close();
      this.idleCount--;
      if (sessions.length === 0) this.idle.delete(key);
      return;
    }
  }

  closeAll(): void {
    for (const sessions of this.idle.values()) for (const session of sessions) session.close();
    this.idle.clear();
    this.idleCount = 0;
  }
}
