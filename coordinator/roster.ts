/**
 * Whom the leader plans with, and when it may move partitions for balance. Pure: time and sightings come from outside.
 *
 * A process that just began to listen, or a cluster that was dark, hears its workers one by one. Owners not heard of yet
 * are then presumed alive for a while, or the first to be heard would be given everything and it would all move twice.
 */
import type { Assignment, Member } from './assignment.ts';
import type { Seen } from './membership.ts';

/** A coordinator that just started gives the owners this long to be heard: roles of a machine start together. */
const startGraceMs = 6_000;
/** After no worker at all was heard of, their return may take this long. */
const returnGraceMs = 2_000;
/** A new cluster waits until nobody joined for this long, … */
const coldQuietMs = 750;
/** … but not longer than this. */
const coldWaitMs = 3_000;
/** Members must have stayed the same for this long before partitions are moved for balance: joins come in groups. */
const steadyMs = 1_000;
/** Balance is looked at this often while members stay the same. Rates are means of about five seconds. */
const rebalanceEveryMs = 10_000;
/** A worker that ended this often … */
const flapsMax = 2;
/** … within this time … */
const flapMemoryMs = 120_000;
/** … is given new partitions only after it stayed for this long. */
const flapPauseMs = 15_000;

interface Known {
  sinceMs: number;
  pid: number;
  leaving: boolean;
}

export interface Look {
  members: Member[];
  /** Partitions that leaving workers still run. */
  draining: Set<number>;
  rebalance: boolean;
}

export class Roster {
  private presumeUntilMs: number;
  private readonly known = new Map<string, Known>();
  /** Heard of since the last time that owners were presumed alive. */
  private readonly heard = new Set<string>();
  /** When each worker ended without having said so, newest last. */
  private readonly ends = new Map<string, number[]>();
  private firstMs: number | null = null;
  private changedMs: number;
  private balancedMs: number | null = null;
  private dark = true;

  /** `sinceMs`: when this process began to listen to heartbeats. */
  constructor(sinceMs: number) {
    this.presumeUntilMs = sinceMs + startGraceMs;
    this.changedMs = sinceMs;
  }

  /** Null where it is too early to plan. `workers`: all that are alive, leaving ones included. */
  look(nowMs: number, workers: readonly Seen[], present: Assignment | null): Look | null {
    const staying = workers.filter(({ beat }) => !beat.leaving);
    this.follow(nowMs, workers);
    if (staying.length === 0) {
      this.dark = this.dark || workers.length === 0;
      return null;
    }
    if (this.dark) {
      this.dark = false;
      if (this.firstMs !== null) {
        this.presumeUntilMs = Math.max(this.presumeUntilMs, nowMs + returnGraceMs);
        this.heard.clear();
      }
    }
    this.firstMs ??= nowMs;
    for (const { beat } of workers) this.heard.add(beat.id);
    if (present === null && nowMs - this.changedMs < coldQuietMs && nowMs - this.firstMs < coldWaitMs) return null;
    const members: Member[] = staying.map(({ beat }) => ({
      id: beat.id,
      running: new Set(beat.partitions.map((load) => load.partition)),
      accepts: this.accepts(nowMs, beat.id),
    }));
    const presumed = this.presumed(nowMs, present);
    const draining = workers.filter(({ beat }) => beat.leaving).flatMap(({ beat }) => beat.partitions);
    return {
      members: [...members, ...presumed],
      draining: new Set(draining.map((load) => load.partition)),
      rebalance:
        presumed.length === 0 &&
        (present === null || present.moves.length === 0) &&
        nowMs - this.changedMs >= steadyMs &&
        (this.balancedMs === null || this.balancedMs < this.changedMs || nowMs - this.balancedMs >= rebalanceEveryMs),
    };
  }

  /** To be called when a plan with `rebalance` changed nothing. */
  balanced(nowMs: number): void {
    this.balancedMs = nowMs;
  }

  private follow(nowMs: number, workers: readonly Seen[]): void {
    const seen = new Set<string>();
    for (const { beat } of workers) {
      seen.add(beat.id);
      const known = this.known.get(beat.id);
      if (known?.pid === beat.pid && known.leaving === beat.leaving) continue;
      if (known !== undefined && known.pid !== beat.pid && !known.leaving) this.noteEnd(beat.id, nowMs);
      const same = known?.pid === beat.pid;
      this.known.set(beat.id, { sinceMs: same ? known.sinceMs : nowMs, pid: beat.pid, leaving: beat.leaving });
      this.changedMs = nowMs;
    }
    for (const [id, { leaving }] of this.known) {
      if (seen.has(id)) continue;
      this.known.delete(id);
      if (!leaving) this.noteEnd(id, nowMs);
      this.changedMs = nowMs;
    }
  }

  private noteEnd(id: string, nowMs: number): void {
    for (const [other, ends] of this.ends) if (nowMs - (ends.at(-1) as number) > flapMemoryMs) this.ends.delete(other);
    this.ends.set(id, [...(this.ends.get(id) ?? []), nowMs].slice(-flapsMax));
  }

  private accepts(nowMs: number, id: string): boolean {
    const ends = this.ends.get(id) ?? [];
    const flaps = ends.filter((endMs) => nowMs - endMs <= flapMemoryMs).length >= flapsMax;
    return !flaps || nowMs - (this.known.get(id)?.sinceMs ?? nowMs) >= flapPauseMs;
  }

  private presumed(nowMs: number, present: Assignment | null): Member[] {
    if (present === null || nowMs >= this.presumeUntilMs) return [];
    const running = new Map<string, Set<number>>();
    const note = (id: string | null, partition: number): void => {
      if (id === null || this.heard.has(id)) return;
      const own = running.get(id);
      if (own === undefined) running.set(id, new Set([partition]));
      else own.add(partition);
    };
    for (const [partition, owner] of present.owners.entries()) note(owner, partition);
    return [...running].map(([id, own]) => ({ id, running: own, accepts: false }));
  }
}
