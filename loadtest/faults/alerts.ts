/** Events that raise an alert each, sent through faults, and what of them the webhook was told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Probe, probeBody } from '../probes.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { Notification } from '../webhook-sink.ts';
import type { Delivery } from './delivery.ts';

export interface Told extends Notification {
  /** The notification's own id: the same when it is delivered again. */
  id: string;
}

export class AlertProbes {
  /** By service, in order of sending. */
  readonly probes = new Map<string, Probe>();
  /** Requests of the webhook. */
  deliveries = 0;
  /** Of those, ones that had come before. */
  repeats = 0;
  onTold: (eventMs: number) => void = () => {};
  private readonly ids = new Set<string>();
  /** Services by the alerts that the webhook was told of. */
  private readonly told = new Set<string>();
  private stopped = false;
  private gaveUp = false;
  private running: Promise<unknown> = Promise.resolve();

  /** What a webhook request said. */
  take({ id, alerts, receipt }: Told, atMs: number): void {
    this.deliveries++;
    if (this.ids.has(id)) this.repeats++;
    this.ids.add(id);
    for (const { service } of alerts) {
      this.told.add(service);
      const probe = this.probes.get(service);
      if (probe === undefined || probe.arrivedMs !== undefined) continue;
      probe.arrivedMs = atMs;
      if (receipt !== null) probe.receipt = receipt;
      this.onTold(probe.eventMs);
    }
  }

  wasTold(service: string): boolean {
    return this.told.has(service);
  }

  /** Sends one every `everyMs` until stopped; each is its own request with its own key. */
  start(delivery: Delivery, everyMs: number, name: string): void {
    this.running = (async () => {
      const under: Promise<unknown>[] = [];
      const first = Date.now();
      for (let n = 1; !this.stopped; n++) {
        const probe: Probe = { service: `probe-${String(n).padStart(5, '0')}`, eventMs: first + n * everyMs };
        const waitMs = probe.eventMs - Date.now();
        if (waitMs > 0) await sleep(waitMs);
        if (this.stopped) break;
        this.probes.set(probe.service, probe);
        const sent = delivery.deliver(probeBody(probe), `${name}-${probe.service}`, n, () => this.gaveUp);
        under.push(sent.then((done) => void (probe.acknowledged = done !== null)));
      }
      await Promise.all(under);
    })();
  }

  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    const late = setTimeout(() => {
      this.gaveUp = true;
    }, graceMs);
    await this.running;
    clearTimeout(late);
  }

  /** Acknowledged events that the webhook was not told of. */
  get missing(): string[] {
    return [...this.probes.values()]
      .filter(({ acknowledged, arrivedMs }) => acknowledged === true && arrivedMs === undefined)
      .map(({ service }) => service);
  }

  /** From event to webhook, of events between two times, ms. */
  latency(fromMs: number, toMs: number): Summary | null {
    const within = [...this.probes.values()].filter(({ eventMs }) => eventMs >= fromMs && eventMs < toMs);
    return summarize(
      within.flatMap(({ eventMs, arrivedMs }) => (arrivedMs === undefined ? [] : [arrivedMs - eventMs])),
    );
  }
}
