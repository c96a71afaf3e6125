/** Carries out the assignment: reads the document and the roster, plans, and writes by compare-and-set. */
import type { ClusterFacts, KeyValue, Time } from '#bus/mod.ts';
import { keys, pack, unpack } from '#protocol/mod.ts';
import { type Assignment, plan } from './assignment.ts';
import { Healing } from './healing.ts';
import { Loads } from './loads.ts';
import type { Membership } from './membership.ts';
import { Roster } from './roster.ts';

export interface PlacementOptions {
  store: KeyValue;
  membership: Membership;
  time: Time;
  log: (text: string) => void;
  /** When this process began to hear heartbeats, ms. */
  listeningSinceMs: number;
  /** Grows with every change of leader. A document of a later term is never overwritten. */
  term: number;
}

export interface StoredAssignment extends Assignment {
  term: number;
}

export class Placement {
  private readonly options: PlacementOptions;
  private readonly roster: Roster;
  private readonly loads = new Loads();
  private readonly healing = new Healing();
  /** Partitions given to another worker than the one that had them, since this process leads. */
  private moved = 0;
  private readonly lastOwners: string[] = [];
  private members = 0;
  private epoch = 0;
  private busy = false;

  constructor(options: PlacementOptions) {
    this.options = options;
    this.roster = new Roster(options.listeningSinceMs);
  }

  counters(): Record<string, number> {
    return {
      moves: this.moved,
      healed: this.healing.healed,
      lastHealMs: this.healing.lastHealMs,
      membersNow: this.members,
      epochNow: this.epoch,
    };
  }

  /** One look at the cluster. False where a leader of a later term wrote the assignment: this one was replaced. */
  async look(facts: ClusterFacts): Promise<boolean> {
    if (this.busy) return true;
    this.busy = true;
    try {
      return await this.lookOnce(facts);
    } finally {
      this.busy = false;
    }
  }

  private async lookOnce(facts: ClusterFacts): Promise<boolean> {
    const { store, membership, time, term } = this.options;
    const entry = await store.get(keys.assignment);
    const stored = entry === null ? null : readAssignment(entry.value);
    if (stored !== null && stored.term > term) return false;
    const now = time.now();
    membership.awake(now);
    const workers = membership.alive('worker', now);
    for (const { beat, heardMs } of workers) this.loads.hear(beat, heardMs);
    this.healing.look(workers);
    this.members = workers.length;
    this.epoch = stored?.epoch ?? 0;
    const { partitions, generation } = facts;
    const present: Assignment = stored ?? {
      epoch: 0,
      generation,
      owners: new Array<string | null>(partitions).fill(null),
      moves: [],
    };
    const look = this.roster.look(now, workers, stored);
    if (look === null) return true;
    const { members, draining, rebalance } = look;
    const weights = this.loads.weights(partitions);
    const planned = plan({ present, members, draining, weights, rebalance });
    if (planned === null && rebalance) this.roster.balanced(now);
    const next = planned ?? (present.generation === generation ? null : { ...present, epoch: present.epoch + 1 });
    if (next === null) return true;
    const value = pack({ ...next, generation, term } satisfies StoredAssignment);
    const written =
      entry === null
        ? await store.create(keys.assignment, value)
        : await store.update(keys.assignment, value, entry.revision);
    if (written !== null) this.tell(present, next);
    return true;
  }

  private tell(before: Assignment, next: Assignment): void {
    const counts = new Map<string, number>();
    for (const [partition, owner] of next.owners.entries()) {
      if (owner === null) continue;
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
      const last = this.lastOwners[partition] ?? before.owners[partition] ?? owner;
      if (last !== owner) this.moved++;
      this.lastOwners[partition] = owner;
    }
    this.epoch = next.epoch;
    const shares = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, count]) => `${id} ${count}`);
    const moving = next.moves.length === 0 ? '' : `; ${next.moves.length} on the way`;
    this.options.log(`Assignment ${next.epoch}: ${shares.join(', ') || 'no workers'}${moving}.`);
  }
}

/** Documents from before moves and terms were kept have neither. */
export function readAssignment(value: Uint8Array): StoredAssignment {
  return {
    moves: [],
    term: 0,
    ...(unpack(value) as Omit<StoredAssignment, 'moves' | 'term'> & Partial<StoredAssignment>),
  };
}
