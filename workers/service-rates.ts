/** Live rates, for status and dashboard: figures, not answers. Taken over a few heartbeats, as traffic comes in bursts. */
import type { ServiceCount } from './partition.ts';

/** Services counted between two heartbeats; further ones are left out of the live view. */
const servicesMax = 5_000;
/** Services that a heartbeat carries. */
const toldMax = 60;
/** Heartbeats that a rate is taken over: two seconds. */
const beats = 4;

interface Interval {
  seconds: number;
  rows: number;
  services: Map<string, { rows: number; errors: number }>;
}

export class ServiceRates {
  private current: Interval = { seconds: 0, rows: 0, services: new Map() };
  private past: Interval[] = [];

  add(services: readonly ServiceCount[]): void {
    for (const { service, rows, errors } of services) {
      this.current.rows += rows;
      addTo(this.current.services, service, rows, errors);
    }
  }

  /** Closes the interval since the last call, which took `seconds`, and gives the rates of the last few. */
  take(seconds: number): { recordsPerSecond: number; services: [string, number, number][] } {
    this.past.push({ ...this.current, seconds });
    this.current = { seconds: 0, rows: 0, services: new Map() };
    if (this.past.length > beats) this.past.shift();
    const total = this.past.reduce((sum, interval) => sum + interval.seconds, 0);
    const sums = new Map<string, { rows: number; errors: number }>();
    let rows = 0;
    for (const interval of this.past) {
      rows += interval.rows;
      for (const [service, count] of interval.services) addTo(sums, service, count.rows, count.errors);
    }
    const services = [...sums]
      .map(([name, count]): [string, number, number] => [name, count.rows / total, count.errors / total])
      .sort((a, b) => b[1] - a[1])
      .slice(0, toldMax);
    return { recordsPerSecond: rows / total, services };
  }
}

function addTo(
  sums: Map<string, { rows: number; errors: number }>,
  service: string,
  rows: number,
  errors: number,
): void {
  const count = sums.get(service);
  if (count !== undefined) {
    count.rows += rows;
    count.errors += errors;
  } else if (sums.size < servicesMax) {
    sums.set(service, { rows, errors });
  }
}
