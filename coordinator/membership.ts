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
/**
 * A process that was taken for dead and is heard of again was held up: it is given twice the time from then on. Where
 * work is what holds workers up, they would otherwise take all partitions from each other, and be held up by that, without
 * end: three workers did so for minutes on two cores with a load of 25.
 */
const patienceMsMax = 20_000;
/** … until it was not held up for so long. */
const patienceForMs = 300_000;

export class Membership {
  private readonly seen = new Map<string, Seen>();
  /** Processes that were taken for dead, by id. */
  private readonly missed = new Map<string, { pid: number; host: string; timeoutMs: number; atMs: number }>();
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
      this.missed.delete(beat.id);
      return;
    }
    if (!this.seen.has(beat.id) && this.seen.size >= processesMax) return;
    if (!this.seen.has(beat.id)) this.welcome(beat, nowMs);
    this.seen.set(beat.id, { beat, heardMs: nowMs });
  }

  private welcome({ id, pid, host }: Heartbeat, nowMs: number): void {
    const missed = this.missed.get(id);
    if (missed === undefined) return;
    if (missed.pid !== pid || missed.host !== host) this.missed.delete(id);
    else this.missed.set(id, { ...missed, timeoutMs: Math.min(missed.timeoutMs * 2, patienceMsMax), atMs: nowMs });
  }

  private timeoutMs(id: string, nowMs: number): number {
    const missed = this.missed.get(id);
    return missed === undefined || nowMs - missed.atMs > patienceForMs ? heartbeatTimeoutMs : missed.timeoutMs;
  }

  private miss(id: string, { pid, host }: Heartbeat, nowMs: number): void {
    const timeoutMs = this.timeoutMs(id, nowMs);
    this.seen.delete(id);
    for (const [other, { atMs }] of this.missed) if (nowMs - atMs > patienceForMs) this.missed.delete(other);
    this.missed.set(id, { pid, host, timeoutMs, atMs: nowMs });
  }

  /** Living processes of a role, by id. Forgets the dead. */
  alive(role: RoleName, nowMs: number): Seen[] {
    const result: Seen[] = [];
    for (const [id, seen] of this.seen) {
      if (nowMs - seen.heardMs > this.timeoutMs(id, nowMs)) this.miss(id, seen.beat, nowMs);
      else if (seen.beat.role === role) result.push(seen);
    }
    return result.sort((a, b) => (a.beat.id < b.beat.id ? -1 : 1));
  }
}
