/** Events that raise an alert each, and how long each took to every station on its way to a person. */
import type { Sender } from './sender.ts';
import { type Summary, summarize } from './statistics.ts';
import type { Notification } from './webhook-sink.ts';

/** Every probe has a service of its own, or the alert of the first would swallow the others. */
export const probeServices = 'probe-*';
const ruleName = 'load test probe';
const bodyMark = 'load test probe raises an alert';
/** Alerts that may fire at once, with room for others. */
export const probesMax = 1_500;

/** Configuration of a cluster that tells `webhookUrl` of every probe at once. */
export function probeConfig(webhookUrl: string): unknown {
  const rule = { name: ruleName, service: probeServices, kind: 'pattern', value: 1, score: 90 };
  const channel = { name: 'probes', type: 'webhook', url: webhookUrl, sendResolved: false, perMinuteMax: 10_000 };
  return {
    analysis: { rules: [{ ...rule, match: { contains: [bodyMark] }, withinMs: 1_000 }] },
    alerting: {
      channels: [channel],
      // One by one: probes of a moment would else be one incident, told once.
      routes: [
        {
          name: 'probes',
          match: { service: probeServices, subject: ruleName },
          channels: channel.name,
          groupBy: 'service',
        },
      ],
    },
  };
}

export interface Probe {
  service: string;
  /** Event time: when it was due, so that a late sender counts as delay. Wall-clock ms. */
  eventMs: number;
  /** Answer of the gateway; undefined before. */
  acknowledged?: boolean;
  arrivedMs?: number;
  receipt?: NonNullable<Notification['receipt']>;
}

export interface Hops {
  eventToGatewayMs: Summary | null;
  gatewayToProcessingMs: Summary | null;
  processingToDetectedMs: Summary | null;
  detectedToAlertMs: Summary | null;
  processingToAlertMs: Summary | null;
  totalMs: Summary | null;
}

export function probeBody(probe: Pick<Probe, 'service' | 'eventMs'>): Buffer {
  const timestamp = new Date(probe.eventMs).toISOString();
  const record = { timestamp, level: 'ERROR', service: probe.service, message: `${probe.service}: ${bodyMark}` };
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/** Sends a probe every `everyMs` by the clock for `durationMs`; resolves when all are answered. */
export async function sendProbes(options: {
  sender: Sender;
  everyMs: number;
  durationMs: number;
  probes: Map<string, Probe>;
  signal: AbortSignal;
}): Promise<void> {
  const { sender, everyMs, durationMs, probes, signal } = options;
  const startedMs = Date.now();
  const answers: Promise<void>[] = [];
  for (let n = 1; n * everyMs < durationMs && !signal.aborted; n++) {
    const probe: Probe = {
      service: `probe-${String(n).padStart(4, '0')}`,
      eventMs: Math.round(startedMs + n * everyMs),
    };
    const waitMs = probe.eventMs - Date.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    probes.set(probe.service, probe);
    const answer = sender.post(probeBody(probe)).then(
      ({ status }) => void (probe.acknowledged = status === 200),
      () => void (probe.acknowledged = false),
    );
    answers.push(answer);
  }
  await Promise.all(answers);
}

/** The first notification of each probe counts. */
export function noteArrival(probes: ReadonlyMap<string, Probe>, { alerts, receipt }: Notification, atMs: number): void {
  for (const { service } of alerts) {
    const probe = probes.get(service);
    if (probe === undefined || probe.arrivedMs !== undefined || receipt === null) continue;
    probe.arrivedMs = atMs;
    probe.receipt = receipt;
  }
}

/** Over the probes that arrived. */
export function hopsOf(probes: Iterable<Probe>): Hops {
  const hops: Record<keyof Hops, number[]> = {
    eventToGatewayMs: [],
    gatewayToProcessingMs: [],
    processingToDetectedMs: [],
    detectedToAlertMs: [],
    processingToAlertMs: [],
    totalMs: [],
  };
  for (const { eventMs, arrivedMs, receipt } of probes) {
    if (arrivedMs === undefined || receipt === undefined) continue;
    hops.eventToGatewayMs.push(receipt.gatewayMs - eventMs);
    hops.gatewayToProcessingMs.push(receipt.processingMs - receipt.gatewayMs);
    hops.processingToDetectedMs.push(receipt.detectedMs - receipt.processingMs);
    hops.detectedToAlertMs.push(arrivedMs - receipt.detectedMs);
    hops.processingToAlertMs.push(arrivedMs - receipt.processingMs);
    hops.totalMs.push(arrivedMs - eventMs);
  }
  return {
    eventToGatewayMs: summarize(hops.eventToGatewayMs),
    gatewayToProcessingMs: summarize(hops.gatewayToProcessingMs),
    processingToDetectedMs: summarize(hops.processingToDetectedMs),
    detectedToAlertMs: summarize(hops.detectedToAlertMs),
    processingToAlertMs: summarize(hops.processingToAlertMs),
    totalMs: summarize(hops.totalMs),
  };
}
