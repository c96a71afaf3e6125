/**
 * The simulated Redis and the receivers behind it, as alerting's delivery port. Jobs outlive processes; a process that
 * dies after a receiver was told and before the job was marked leaves it to be delivered again, under the same id.
 */
import type { Delivery, DeliveryOptions, Notification } from '#alerting/mod.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

const sweepEveryMs = 1_000;
/** A job whose process is not heard of for so long is taken up by another. */
const lockMs = 10_000;

export class DeliveryServer {
  /** Answers nobody until then. */
  awayUntilMs = 0;
  /** How often receivers were told, by notification id, and what. */
  readonly told = new Map<string, { count: number; text: string }>();
  /** Deliveries whose success was not recorded, by id: each excuses one repeat. */
  readonly unrecorded = new Map<string, number>();
  /** Chance that a receiver takes a notification and the answer is lost. */
  deaf = 0;
  private readonly done = new Set<string>();
  /** Until when a job is one process's own. */
  private readonly locks = new Map<string, number>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  open(process: Process, options: DeliveryOptions): Delivery {
    const { world } = this;
    const under = new Set<string>();
    const counts = { retries: 0, stalled: 0 };
    let stopped = false;
    const away = (): boolean => world.nowMs < this.awayUntilMs;
    const deliver = (notification: Notification): void => {
      const { id } = notification;
      if (stopped || away() || under.has(id)) return;
      under.add(id);
      const step = (ms: number, run: () => void): void => {
        world.after(ms, () => process.enter(run));
      };
      step(1, () => {
        if (away()) return void under.delete(id);
        options.onQueued(notification);
        if (this.done.has(id)) {
          under.delete(id);
          options.onDelivered(notification, false);
          return;
        }
        if ((this.locks.get(id) ?? 0) > world.nowMs) return void under.delete(id);
        this.locks.set(id, world.nowMs + lockMs);
        const known = this.told.get(id) ?? { count: 0, text: '' };
        const text = JSON.stringify({ ...notification, receipt: null });
        this.told.set(id, { count: known.count + 1, text });
        this.unrecorded.set(id, (this.unrecorded.get(id) ?? 0) + 1);
        world.note(process.name, 'tells receivers', id);
        if (world.random.next() < this.deaf) {
          counts.retries++;
          this.locks.delete(id);
          return void under.delete(id);
        }
        step(2 + world.random.below(20), () => {
          under.delete(id);
          // One whose lock ran out was delivered by another meanwhile.
          if (!this.done.has(id)) this.unrecorded.set(id, (this.unrecorded.get(id) ?? 0) - 1);
          this.locks.delete(id);
          this.done.add(id);
          options.onDelivered(notification, true);
        });
      });
    };
    const stopSweeping = process.time.every(sweepEveryMs, () => {
      for (const notification of options.outbox().values()) deliver(notification);
    });
    return {
      counts,
      get connected() {
        return !away();
      },
      put: deliver,
      stop: async () => {
        stopped = true;
        stopSweeping();
      },
    };
  }
}
