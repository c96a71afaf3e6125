/**
 * The workers of a large cluster over virtual time: partitions queue, workers share their speed among them, the real
 * assignment function moves partitions, workers die and join. What it shows is how long healing and catching up take
 * and how evenly the load lies; what a worker does with a record is one number here, its speed.
 */
import { type Assignment, type Member, plan } from '#coordinator/mod.ts';
import { Random } from '#generator/mod.ts';

export interface WorkerShape {
  workers: number;
  /** Records per second that one worker takes. */
  workerRecordsPerSecond: number;
  /** Share of the workers killed at `killAtSeconds`. */
  killShare: number;
  killAtSeconds: number;
  /** Workers that join at `joinAtSeconds`. */
  joining: number;
  joinAtSeconds: number;
  seconds: number;
  /** A silent worker is taken for dead after this, seconds. */
  deadAfterSeconds: number;
  /** From grant to first record: restore, and replay of what the checkpoint lacks, seconds. */
  restoreSeconds: number;
  /** Age of a checkpoint when its worker dies, seconds, at most: so much is replayed. */
  checkpointSeconds: number;
  drainSeconds: number;
  /** Swing of each partition's rate around its mean, as a share of it. */
  swing: number;
  seed: number;
}

export interface WorkerReport {
  /** Load of the busiest worker over the mean, once settled; and mean load over speed. */
  imbalance: number;
  utilisation: number;
  /** From the kill until every partition runs again, seconds. */
  healedSeconds: number;
  /** From the kill until no partition that a worker can carry is over a second behind, seconds; -1: not within the run. */
  caughtUpSeconds: number;
  /** Partitions that changed hands: for the kill (and the least possible), for the join (and an even share). */
  movedByKill: number;
  orphaned: number;
  movedByJoin: number;
  joinShare: number;
  /** Longest that any partition was behind, seconds. */
  worstLagSeconds: number;
  /** Partitions alone heavier than a worker: no assignment helps them. */
  tooHeavy: number;
  /** The longest that one planning took, ms of the machine that simulates. */
  planMsMax: number;
}

const stepSeconds = 0.25;
const rateSmoothingSeconds = 5;
const swingEverySteps = 40;

interface WorkerState {
  id: string;
  alive: boolean;
  /** Still counted as a member: a dead one is, until it was silent for long enough. */
  silentSince: number;
  /** Partition → when it runs (restored). */
  running: Map<number, number>;
}

export function runWorkers(byPartition: Float64Array, shape: WorkerShape, timeMs: () => number): WorkerReport {
  return new WorkerSimulation(byPartition, shape, timeMs).run();
}

class WorkerSimulation {
  private readonly shape: WorkerShape;
  private readonly mean: Float64Array;
  private readonly rate: Float64Array;
  private readonly measured: Float64Array;
  private readonly backlog: Float64Array;
  private readonly workers: WorkerState[] = [];
  private readonly byId = new Map<string, WorkerState>();
  private assignment: Assignment;
  private readonly draining = new Map<number, { worker: WorkerState; until: number }>();
  private readonly random: Random;
  private readonly timeMs: () => number;
  private planMsMax = 0;
  private moved = 0;
  private members = '';

  constructor(byPartition: Float64Array, shape: WorkerShape, timeMs: () => number) {
    this.shape = shape;
    this.timeMs = timeMs;
    this.mean = byPartition;
    this.rate = byPartition.slice();
    this.measured = byPartition.slice();
    this.backlog = new Float64Array(byPartition.length);
    this.random = new Random(shape.seed);
    this.assignment = {
      epoch: 0,
      generation: 1,
      owners: new Array<string | null>(byPartition.length).fill(null),
      moves: [],
    };
    for (let i = 0; i < shape.workers; i++) this.join();
  }

  run(): WorkerReport {
    const { shape } = this;
    const steps = Math.round(shape.seconds / stepSeconds);
    const killStep = Math.round(shape.killAtSeconds / stepSeconds);
    const joinStep = Math.round(shape.joinAtSeconds / stepSeconds);
    let imbalance = 1;
    let healedSeconds = -1;
    let caughtUpSeconds = -1;
    let orphaned = 0;
    let movedByKill = 0;
    let worstLagSeconds = 0;
    for (let step = 0; step < steps; step++) {
      const now = step * stepSeconds;
      if (step === killStep) {
        imbalance = this.imbalance();
        this.moved = 0;
        orphaned = this.kill(now);
      }
      if (step === joinStep) {
        movedByKill = this.moved;
        this.moved = 0;
        for (let i = 0; i < shape.joining; i++) this.join();
      }
      if (step % swingEverySteps === 0) this.swing();
      this.assign(now);
      this.process(now);
      // Before the kill the cluster starts, all partitions at once: that is not what is asked.
      if (step < killStep) continue;
      worstLagSeconds = Math.max(worstLagSeconds, this.lagSeconds());
      if (healedSeconds < 0 && step > killStep && this.allRun(now)) healedSeconds = now - shape.killAtSeconds;
      if (caughtUpSeconds < 0 && healedSeconds >= 0 && this.lagSeconds() <= 1)
        caughtUpSeconds = now - shape.killAtSeconds;
    }
    const total = this.mean.reduce((a, b) => a + b, 0);
    const alive = this.workers.filter((worker) => worker.alive).length;
    return {
      imbalance,
      utilisation: total / shape.workers / shape.workerRecordsPerSecond,
      healedSeconds,
      caughtUpSeconds,
      movedByKill,
      orphaned,
      movedByJoin: this.moved,
      joinShare: Math.round((this.mean.length * shape.joining) / alive),
      worstLagSeconds,
      tooHeavy: this.mean.filter((rate) => rate > shape.workerRecordsPerSecond).length,
      planMsMax: this.planMsMax,
    };
  }

  private join(): void {
    const worker: WorkerState = {
      id: `w${String(this.workers.length).padStart(5, '0')}`,
      alive: true,
      silentSince: Number.POSITIVE_INFINITY,
      running: new Map(),
    };
    this.workers.push(worker);
    this.byId.set(worker.id, worker);
  }

  private kill(now: number): number {
    const count = Math.round(this.workers.length * this.shape.killShare);
    let orphaned = 0;
    for (let killed = 0; killed < count; ) {
      const worker = this.workers[Math.floor(this.random.next() * this.workers.length)] as WorkerState;
      if (!worker.alive) continue;
      worker.alive = false;
      worker.silentSince = now;
      for (const partition of worker.running.keys()) {
        orphaned++;
        // What its last checkpoint lacks is read again.
        const replay = this.random.next() * this.shape.checkpointSeconds;
        this.backlog[partition] = (this.backlog[partition] as number) + replay * (this.rate[partition] as number);
      }
      worker.running.clear();
      killed++;
    }
    return orphaned;
  }

  private swing(): void {
    for (const [partition, mean] of this.mean.entries())
      this.rate[partition] = mean * (1 + this.shape.swing * (2 * this.random.next() - 1));
  }

  private assign(now: number): void {
    for (const [partition, { worker, until }] of this.draining) {
      if (until > now && worker.alive) continue;
      worker.running.delete(partition);
      this.draining.delete(partition);
    }
    const present = this.workers.filter((worker) => now - worker.silentSince < this.shape.deadAfterSeconds);
    const names = String(present.length);
    const rebalance = names !== this.members || Math.round(now / stepSeconds) % 120 === 0;
    this.members = names;
    const members: Member[] = present.map(({ id, running }) => ({
      id,
      running: new Set(running.keys()),
      accepts: true,
    }));
    const from = this.timeMs();
    const next = plan({
      present: this.assignment,
      members,
      draining: new Set(),
      weights: Array.from(this.measured, (rate) => rate + 1),
      rebalance,
    });
    this.planMsMax = Math.max(this.planMsMax, this.timeMs() - from);
    if (next === null) return;
    for (const [partition, owner] of next.owners.entries()) {
      const before = this.assignment.owners[partition] ?? null;
      if (owner === before) continue;
      const holder = before === null ? undefined : this.byId.get(before);
      if (holder?.alive && holder.running.has(partition))
        this.draining.set(partition, { worker: holder, until: now + this.shape.drainSeconds });
      if (owner === null) continue;
      const taker = this.byId.get(owner) as WorkerState;
      if (taker.alive) taker.running.set(partition, now + this.shape.restoreSeconds);
      this.moved++;
    }
    this.assignment = next;
  }

  private process(now: number): void {
    const { workerRecordsPerSecond } = this.shape;
    for (const [partition, rate] of this.rate.entries()) {
      this.backlog[partition] = (this.backlog[partition] as number) + rate * stepSeconds;
      const measured = this.measured[partition] as number;
      this.measured[partition] = measured + ((rate - measured) * stepSeconds) / rateSmoothingSeconds;
    }
    for (const worker of this.workers) {
      if (!worker.alive) continue;
      let wanted = 0;
      for (const [partition, from] of worker.running) if (from <= now) wanted += this.backlog[partition] as number;
      const share = Math.min(1, (workerRecordsPerSecond * stepSeconds) / wanted);
      for (const [partition, from] of worker.running)
        if (from <= now) this.backlog[partition] = (this.backlog[partition] as number) * (1 - share);
    }
  }

  private lagSeconds(): number {
    let worst = 0;
    for (const [partition, waiting] of this.backlog.entries()) {
      const rate = this.rate[partition] as number;
      // What no worker can carry falls behind for ever; it is told of as `tooHeavy`.
      if (rate > 0 && (this.mean[partition] as number) <= this.shape.workerRecordsPerSecond)
        worst = Math.max(worst, waiting / rate);
    }
    return worst;
  }

  private allRun(now: number): boolean {
    return this.assignment.owners.every((owner, partition) => {
      const worker = owner === null ? undefined : this.byId.get(owner);
      return worker?.alive === true && (worker.running.get(partition) ?? Number.POSITIVE_INFINITY) <= now;
    });
  }

  private imbalance(): number {
    const loads = this.workers.map((worker) => {
      let load = 0;
      for (const partition of worker.running.keys()) load += this.mean[partition] as number;
      return load;
    });
    return Math.max(...loads) / (loads.reduce((a, b) => a + b, 0) / loads.length);
  }
}
