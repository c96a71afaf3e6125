/** Watches a cluster from outside: who leads, who runs which partition, how far each of them is. */
import { type Bus, connectNats, type KeyValue } from '#bus/mod.ts';
import { readAssignment, type StoredAssignment } from '#coordinator/mod.ts';
import { buckets, type Heartbeat, keys, subjects, unpack } from '#protocol/mod.ts';
import { until } from './start.ts';

export class Watch {
  /** Newest heartbeat of each worker process, by id, with when it came. */
  readonly workers = new Map<string, { beat: Heartbeat; atMs: number }>();
  /** Every LOGS sequence that a worker told of, by partition: when it was first told, and by whom. */
  private readonly progress = new Map<number, { sequence: number; atMs: number; by: string }>();
  private readonly bus: Bus;
  private readonly store: KeyValue;

  private constructor(bus: Bus, store: KeyValue) {
    this.bus = bus;
    this.store = store;
    bus.listen(subjects.heartbeats, (data) => {
      const beat = unpack(data) as Heartbeat;
      if (beat.role !== 'worker') return;
      this.workers.set(beat.id, { beat, atMs: Date.now() });
      for (const { partition, sequence } of beat.partitions) {
        const known = this.progress.get(partition);
        if (known === undefined || sequence > known.sequence)
          this.progress.set(partition, { sequence, atMs: Date.now(), by: beat.id });
      }
    });
  }

  static async on(url: string): Promise<Watch> {
    const bus = await connectNats({ url, name: 'test' });
    return new Watch(bus, await bus.keyValue(buckets.cluster));
  }

  async leader(): Promise<string | null> {
    const entry = await this.store.get(keys.leader);
    return entry === null ? null : (unpack(entry.value) as string);
  }

  async assignment(): Promise<StoredAssignment> {
    const entry = await this.store.get(keys.assignment);
    if (entry === null) throw new Error('There is no assignment.');
    return readAssignment(entry.value);
  }

  /** Records that the workers told of, since they started. */
  records(): number {
    return [...this.workers.values()].reduce((sum, { beat }) => sum + (beat.counters['records'] ?? 0), 0);
  }

  owned(id: string, { owners }: StoredAssignment): number[] {
    return owners.flatMap((owner, partition) => (owner === id ? [partition] : []));
  }

  /** Waits until another process leads. Resolves to its name and how long that took, ms. */
  async takeover(from: string): Promise<{ leader: string; ms: number }> {
    const startedMs = Date.now();
    let leader: string | null = from;
    await until(
      async () => {
        leader = await this.leader();
        return leader !== null && leader !== from;
      },
      `another leader than ${from}`,
      20,
    );
    return { leader, ms: Date.now() - startedMs };
  }

  /** Waits until others process the partitions of a worker. Resolves to the time of the slowest of them, ms. */
  async healed(partitions: readonly number[], from: string): Promise<number> {
    const startedMs = Date.now();
    const goesOn = (partition: number): boolean => {
      const one = this.progress.get(partition);
      return one !== undefined && one.by !== from && one.atMs > startedMs;
    };
    await until(() => partitions.every(goesOn), `others to process what ${from} did`, 20);
    return Date.now() - startedMs;
  }

  close(): Promise<void> {
    return this.bus.close();
  }
}
