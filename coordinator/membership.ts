/** Who is alive, by heartbeats over core NATS. Pure: the shell feeds it and asks. */
import { type Heartbeat, heartbeatTimeoutMs, type RoleName, unpack } from '#protocol/mod.ts';

/** Processes remembered at most; beyond it unknown ones are ignored until others fall silent. */
const processesMax = 10_000;

export interface Seen {
  beat: Heartbeat;
  /** Own clock, ms. */
  heardMs: number;
}

/** Own absences longer than this are nobody else's silence. */
const absenceMs = 1_000;

export class Membership {
  private readonly seen = new Map<string, Seen>();
  private awakeMs: number | null = null;

  /**
   * To be called twice a second at least. When the call comes late, this process was held up (a busy machine, a
   * suspended laptop) and heartbeats wait unread in its socket: the others are given that time. So they are while this
   * process has no connection.
   */
  awake(nowMs: number, connected = true): void {
    const absentMs = this.awakeMs === null ? 0 : nowMs - this.awakeMs;
    this.awakeMs = nowMs;
    if (connected && absentMs < absenceMs) return;
    for (const seen of this.seen.values()) seen.heardMs = Math.min(seen.heardMs + absentMs, nowMs);
  }

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
