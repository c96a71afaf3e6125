/** Live rates of the busiest services, for the dashboard: figures, not answers. */
import type { ServiceCount } from './partition.ts';

/** Services counted between two heartbeats; further ones are left out of the live view. */
const servicesMax = 5_000;
/** Services that a heartbeat carries. */
const toldMax = 60;

export class ServiceRates {
  private readonly counts = new Map<string, { rows: number; errors: number }>();

  add(services: readonly ServiceCount[]): void {
    for (const { service, rows, errors } of services) {
      const count = this.counts.get(service);
      if (count !== undefined) {
        count.rows += rows;
        count.errors += errors;
      } else if (this.counts.size < servicesMax) {
        this.counts.set(service, { rows, errors });
      }
    }
  }

  /** [name, records per second, errors per second] of the busiest since the last call. */
  take(seconds: number): [string, number, number][] {
    const rates = [...this.counts].map(([name, count]): [string, number, number] => [
      name,
      count.rows / seconds,
      count.errors / seconds,
    ]);
    this.counts.clear();
    return rates.sort((a, b) => b[1] - a[1]).slice(0, toldMax);
  }
}
