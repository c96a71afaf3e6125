/** Who is alive, by heartbeats over core NATS. Pure: the shell feeds it and asks. */
import { type Heartbeat, heartbeatTimeoutMs, type RoleName, unpack } from '#protocol/mod.ts';

/** Processes remembered at most; beyond it unknown ones are ignored until others fall silent. */
const processesMax = 10_000;

export interface Seen {
  beat: Heartbeat;
  /** Own clock, ms. */
  heardMs: number;
}

export class Membership {
  private readonly seen = new Map<string, Seen>();

  hear(data: Uint8Array, nowMs: number): void {
    let beat: Heartbeat;
    try {
      beat = unpack(data) as Heartbeat;
    } catch {
      return;
    }
    if (typeof beat?.id !== 'string' || typeof beat.role !== 'string' || !Array.isArray(beat.partitions)) return;
    if (beat.leaving && beat.partitions.length === 0) {
      this.seen.delete(beat.id);
      return;
    }
    if (!this.seen.has(beat.id) && this.seen.size >= processesMax) return;
    this.seen.set(beat.id, { beat, heardMs: nowMs });
  }

  /** Living processes of a role, by id. Forgets the dead. */
  alive(role: RoleName, nowMs: number): Seen[] {
    const result: Seen[] = [];
    for (const [id, seen] of this.seen) {
      if (nowMs - seen.heardMs > heartbeatTimeoutMs) this.seen.delete(id);
      else if (seen.beat.role === role) result.push(seen);
    }
    return result.sort((a, b) => (a.beat.id < b.beat.id ? -1 : 1));
  }
}
