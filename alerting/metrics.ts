/** What alerting tells of itself. */
import type { Receipt } from '#protocol/mod.ts';
import type { Failure } from './core/types.ts';

/** Upper bounds in ms; dense around the 100 ms within which alerts are to reach people. */
const latencyBoundsMs = [1, 2, 5, 10, 20, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000] as const;

export interface HistogramSnapshot {
  boundsMs: readonly number[];
  /** One per bound and one for what is over the last; not cumulative. */
  counts: number[];
  count: number;
  sumMs: number;
}

export interface AlertingMetrics {
  /** By name; those that end in `Now` are gauges. Findings, alerts and deliveries count since the cluster began. */
  counters: Record<string, number>;
  /** From the moment a worker took the message to each station, for notifications of something new. */
  latency: { decided: HistogramSnapshot; queued: HistogramSnapshot; delivered: HistogramSnapshot };
  /** The latest notifications that failed for good, newest last. */
  failures: readonly Failure[];
}

class LatencyHistogram {
  private readonly counts: number[] = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  private count = 0;
  private sumMs = 0;

  /** Receipts without a processing time (other clocks, tests) are left out. */
  observe(receipt: Receipt | null, nowMs: number): void {
    if (receipt === null || receipt.processingMs === 0) return;
    const ms = Math.max(0, nowMs - receipt.processingMs);
    const at = latencyBoundsMs.findIndex((bound) => ms <= bound);
    const slot = at < 0 ? latencyBoundsMs.length : at;
    this.counts[slot] = (this.counts[slot] as number) + 1;
    this.count++;
    this.sumMs += ms;
  }

  snapshot(): HistogramSnapshot {
    return { boundsMs: latencyBoundsMs, counts: [...this.counts], count: this.count, sumMs: this.sumMs };
  }
}

/** The bound under which a share (0–1) of what was observed lies, ms; 0 where nothing was, the last bound where it is over. */
export function quantileOf({ boundsMs, counts, count }: HistogramSnapshot, share: number): number {
  let seen = 0;
  for (const [at, value] of counts.entries()) {
    seen += value;
    if (count > 0 && seen >= share * count) return boundsMs[at] ?? (boundsMs.at(-1) as number);
  }
  return 0;
}

/** Time from the moment a worker took a message to each station of what it led to. */
export class Latency {
  readonly decided = new LatencyHistogram();
  readonly queued = new LatencyHistogram();
  readonly delivered = new LatencyHistogram();

  snapshot(): AlertingMetrics['latency'] {
    return {
      decided: this.decided.snapshot(),
      queued: this.queued.snapshot(),
      delivered: this.delivered.snapshot(),
    };
  }
}

/** Histograms as Prometheus text: `logweir_alerting_latency_ms{station="delivered"}`. */
export function latencyText(latency: AlertingMetrics['latency']): string {
  const metric = 'logweir_alerting_latency_ms';
  const lines = [`# HELP ${metric} From processing to each station, in ms.`, `# TYPE ${metric} histogram`];
  for (const [station, { boundsMs, counts, count, sumMs }] of Object.entries(latency)) {
    let below = 0;
    for (const [at, bound] of boundsMs.entries()) {
      below += counts[at] ?? 0;
      lines.push(`${metric}_bucket{station="${station}",le="${bound}"} ${below}`);
    }
    lines.push(`${metric}_bucket{station="${station}",le="+Inf"} ${count}`);
    lines.push(`${metric}_sum{station="${station}"} ${sumMs}`, `${metric}_count{station="${station}"} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
