/**
 * When a fault was healed, told from what can be seen from outside. Pure: the shell brings what it saw.
 *
 *   worker       every partition that it ran went on, anywhere: a heartbeat shows a later sequence
 *   coordinator  of the leader: the lease was renewed by whoever leads now; of a standby: it beats again
 *   gateway      it acknowledged a request that was sent to it after the fault
 *   storage      more of RESULTS is committed than before the fault
 *   alerting     the webhook was told of an event that came after the fault; so for redis
 *   nats         all of these: acknowledged, every partition on, committed, told
 */
import type { Heartbeat } from '#protocol/mod.ts';
import type { Fault } from './schedule.ts';

export interface Healing {
  fault: Fault;
  /** Wall clock, ms. */
  startedMs: number;
  /** Null while it is not. */
  healedMs: number | null;
}

type Part = 'partitions' | 'leader' | 'gateway' | 'stored' | 'told' | 'acknowledged';

interface Open {
  healing: Healing;
  waits: Set<Part>;
  /** Partition → LOGS sequence that it has to pass. */
  behind: Map<number, number>;
  /** RESULTS sequence that storage has to pass. */
  committed: number;
  wasLeader: boolean;
}

/** Heartbeats of a process that was stopped may stand in sockets: they are of before the fault. */
const alive = (beat: Heartbeat, startedMs: number): boolean => beat.atMs > startedMs;

export class HealingWatch {
  readonly all: Healing[] = [];
  private open: Open[] = [];
  /** By worker. */
  private readonly partitions = new Map<string, Map<number, number>>();
  private readonly sequences = new Map<number, number>();
  private committed = 0;
  private leader: string | null = null;

  get unhealed(): Healing[] {
    return this.open.map(({ healing }) => healing);
  }

  fault(fault: Fault, atMs: number): void {
    const healing: Healing = { fault, startedMs: atMs, healedMs: null };
    this.all.push(healing);
    const wasLeader = this.leader === fault.unit;
    const waits = new Set<Part>();
    let behind = new Map<number, number>();
    switch (fault.kind) {
      case 'worker':
        behind = new Map(this.partitions.get(fault.unit) ?? []);
        if (behind.size > 0) waits.add('partitions');
        break;
      case 'coordinator':
        waits.add('leader');
        break;
      case 'gateway':
        waits.add('gateway');
        break;
      case 'storage':
        waits.add('stored');
        break;
      case 'alerting':
      case 'redis':
        waits.add('told');
        break;
      case 'nats':
        behind = new Map(this.sequences);
        for (const part of ['partitions', 'acknowledged', 'stored', 'told'] as const) waits.add(part);
        break;
    }
    this.open.push({ healing, waits, behind, committed: this.committed, wasLeader });
    this.settle(atMs);
  }

  beat(beat: Heartbeat, nowMs: number): void {
    if (beat.role === 'worker') this.workerBeat(beat, nowMs);
    if (beat.role === 'storage') {
      const committed = beat.counters['committed'] ?? 0;
      for (const one of this.open)
        if (alive(beat, one.healing.startedMs) && committed > one.committed) one.waits.delete('stored');
      this.committed = Math.max(this.committed, committed);
    }
    if (beat.role === 'coordinator')
      for (const { healing, waits, wasLeader } of this.open)
        if (!wasLeader && healing.fault.unit === beat.id && alive(beat, healing.startedMs)) waits.delete('leader');
    this.settle(nowMs);
  }

  private workerBeat(beat: Heartbeat, nowMs: number): void {
    const mine = new Map(beat.partitions.map(({ partition, sequence }) => [partition, sequence]));
    this.partitions.set(beat.id, mine);
    for (const [partition, sequence] of mine) {
      if (sequence > (this.sequences.get(partition) ?? 0)) this.sequences.set(partition, sequence);
      for (const { healing, waits, behind } of this.open) {
        if (!alive(beat, healing.startedMs) || sequence <= (behind.get(partition) ?? Number.POSITIVE_INFINITY))
          continue;
        behind.delete(partition);
        if (behind.size === 0) waits.delete('partitions');
      }
    }
    this.settle(nowMs);
  }

  /** The lease was renewed. */
  leads(id: string, nowMs: number): void {
    this.leader = id;
    for (const { healing, waits, wasLeader } of this.open)
      if (wasLeader && (id !== healing.fault.unit || nowMs >= healing.startedMs + healing.fault.awayMs))
        waits.delete('leader');
    this.settle(nowMs);
  }

  acknowledged(gateway: string, sentMs: number, nowMs: number): void {
    for (const { healing, waits } of this.open) {
      if (sentMs <= healing.startedMs) continue;
      waits.delete('acknowledged');
      if (healing.fault.unit === gateway) waits.delete('gateway');
    }
    this.settle(nowMs);
  }

  told(eventMs: number, nowMs: number): void {
    for (const { healing, waits } of this.open) if (eventMs > healing.startedMs) waits.delete('told');
    this.settle(nowMs);
  }

  private settle(nowMs: number): void {
    this.open = this.open.filter(({ healing, waits }) => {
      if (waits.size > 0) return true;
      healing.healedMs = nowMs;
      return false;
    });
  }
}

export interface HealingRow {
  kind: string;
  how: string;
  count: number;
  unhealed: number;
  /** From the fault until healed, s. */
  medianSeconds: number | null;
  maxSeconds: number | null;
  /** Of that, how long the process was away, median, s. */
  awaySeconds: number;
}

/** Median and worst of each kind. */
export function healingTable(all: readonly Healing[]): HealingRow[] {
  const groups = new Map<string, Healing[]>();
  for (const one of all) {
    const name = `${one.fault.kind} ${one.fault.how}`;
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, list]) => {
      const [kind = '', how = ''] = name.split(' ');
      const healed = list.flatMap(({ healedMs, startedMs }) => (healedMs === null ? [] : [healedMs - startedMs]));
      return {
        kind,
        how,
        count: list.length,
        unhealed: list.length - healed.length,
        medianSeconds: seconds(median(healed)),
        maxSeconds: seconds(healed.length === 0 ? null : Math.max(...healed)),
        awaySeconds: seconds(median(list.map(({ fault }) => fault.awayMs))) ?? 0,
      };
    });
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.round(ms / 100) / 10);
