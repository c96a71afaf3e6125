/** Everything around a cluster under faults: load that is retried, events that raise alerts, eyes, and the final checks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { probeConfig, probeServices } from '../probes.ts';
import type { ScenarioContext } from '../scenario.ts';
import { openWebhookSink } from '../webhook-sink.ts';
import { AlertProbes, type Told } from './alerts.ts';
import { exactness, outOfOrder, query, queryRows, rollups, storedRequests } from './clickhouse.ts';
import { Delivery } from './delivery.ts';
import { type Fleet, withFleet } from './fleet.ts';
import { HealingWatch } from './healing.ts';
import { type Observer, observe } from './observer.ts';
import { reconcile, verify } from './proofs.ts';
import type { Check } from './report.ts';
import { renderNumbered } from './requests.ts';
import { holdBack, LoadStream } from './stream.ts';

export interface RigOptions {
  seed: number;
  ratePerSecond: number;
  workers: number;
  connections: number;
  linesPerBody: number;
  /** Sections of the configuration, over those that every run has. */
  config?: Record<string, unknown>;
}

/** One event that raises an alert so often, ms: each has a service of its own, and all of them stay in state. */
const probeEveryMs = 500;
const lookEveryMs = 1_000;
/** Without a new row for this long, what is missing counts as lost. */
const patienceMs = 60_000;
/** What a request may still take after the faults until it is given up. */
const graceMs = 90_000;

export class Rig {
  readonly fleet: Fleet;
  readonly watch = new HealingWatch();
  readonly delivery: Delivery;
  readonly probes: AlertProbes;
  readonly stream: LoadStream;
  readonly observer: Observer;
  readonly context: ScenarioContext;
  readonly options: RigOptions;
  readonly name: string;
  /** Records by request that may be gone, as they were only in a lost part of LOGS. */
  readonly lost = new Map<number, number>();
  streamLost = false;
  /** Events that may be gone so. */
  readonly lostProbes = new Set<string>();
  /** Whether senders wait while storage owes too much. */
  holdsBack = true;
  private stored = 0;
  private readonly timer: NodeJS.Timeout;
  private held = false;
  private heldBackMs = 0;
  private readonly startedMs = Date.now();
  private stoppedMs = 0;

  constructor(fleet: Fleet, observer: Observer, probes: AlertProbes, context: ScenarioContext, options: RigOptions) {
    const { connections, ratePerSecond, seed, linesPerBody } = options;
    this.fleet = fleet;
    this.observer = observer;
    this.probes = probes;
    this.context = context;
    this.options = options;
    this.name = `${seed}-${this.startedMs}`;
    const { signal } = context;
    this.delivery = new Delivery(fleet.urls.gateways, connections, signal);
    const gateways = fleet.names('gateway');
    this.delivery.onAcknowledged = ({ gateway, sentMs }) =>
      this.watch.acknowledged(gateways[gateway] ?? '', sentMs, Date.now());
    probes.onTold = (eventMs) => this.watch.told(eventMs, Date.now());
    const bodies = renderNumbered({ seed, bodies: connections * 2, linesPerBody });
    this.stream = new LoadStream({
      delivery: this.delivery,
      bodies,
      connections,
      ratePerSecond,
      name: this.name,
      signal,
    });
    probes.start(this.delivery, probeEveryMs, this.name);
    this.timer = setInterval(() => void this.look(), lookEveryMs);
  }

  /** Senders wait while storage owes too much: on a small machine the wanted rate is a wish. */
  private async look(): Promise<void> {
    this.stored = await this.storedRows().catch(() => this.stored);
    if (this.held) this.heldBackMs += lookEveryMs;
    const held = holdBack(this.held, this.stream.acknowledgedRecords - this.stored, this.options.ratePerSecond);
    if (held === this.held || !this.holdsBack) return;
    this.held = held;
    this.stream.hold(held);
  }

  get heldBackSeconds(): number {
    return Math.round(this.heldBackMs / 1_000);
  }

  get lostRecords(): number {
    return [...this.lost.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Of acknowledged records over the time of sending. */
  get reachedPerSecond(): number {
    const untilMs = this.stoppedMs === 0 ? Date.now() : this.stoppedMs;
    return Math.round((this.stream.acknowledgedRecords * 1_000) / Math.max(untilMs - this.startedMs, 1));
  }

  async storedRows(): Promise<number> {
    return Number(await query(this.fleet.urls.clickhouse, 'SELECT count() FROM logweir.otel_logs', 5_000));
  }

  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.context.signal });
  }

  /** Sends nothing more; resolves when all that was sent is acknowledged. */
  async stopSending(): Promise<void> {
    this.stoppedMs = Date.now();
    clearInterval(this.timer);
    this.stream.hold(false);
    await Promise.all([this.stream.stop(graceMs), this.probes.stop(graceMs)]);
    this.context.signal.throwIfAborted();
  }

  private get acknowledgedRecords(): number {
    const probes = [...this.probes.probes.values()].filter(({ acknowledged }) => acknowledged === true).length;
    return this.stream.acknowledgedRecords + probes;
  }

  /** Waits until as many rows are stored as were acknowledged, or none came for a minute. */
  async drained(): Promise<Check> {
    const wanted = this.acknowledgedRecords - this.lostRecords - this.lostProbes.size;
    const startedMs = Date.now();
    let changedMs = Date.now();
    let stored = -1;
    while (stored < wanted && Date.now() - changedMs < patienceMs) {
      const now = await this.storedRows().catch(() => stored);
      if (now !== stored) changedMs = Date.now();
      stored = now;
      if (stored < wanted) await this.pause(200);
    }
    // A moment for more than there should be, and for the windows that ticks close.
    await this.pause(3_000);
    const seconds = Math.round((Date.now() - startedMs) / 1_000);
    return {
      name: 'drained',
      ok: stored >= wanted,
      said: `${stored} rows stored ${seconds} s after the last request, at least ${wanted} expected`,
    };
  }

  async checkRecords(): Promise<Check[]> {
    const url = this.fleet.urls.clickhouse;
    const found = exactness(this.stream.sent, await storedRequests(url), this.lost);
    const { acknowledged, lost, lostKnown, doubled, unacknowledged, examples } = found;
    const events = await this.eventsNotOnce();
    const gone = this.lost.size === 0 ? '' : `, ${lostKnown} of ${this.lostRecords} gone with the lost part`;
    const unordered = await outOfOrder(url, this.options.connections);
    const { logs, minutes, hours, ledger } = await rollups(url);
    return [
      {
        name: 'stored once',
        ok: lost === 0 && doubled === 0 && events.length === 0 && this.stream.rejected === 0,
        said: `${acknowledged} acknowledged records: ${lost} lost, ${doubled} doubled${gone}; ${unacknowledged} stored of requests without an answer; ${events.length} events not stored once`,
        examples: [...examples, ...events],
      },
      { name: 'order', ok: unordered === 0, said: `${unordered} requests of a connection out of order in a service` },
      {
        name: 'rollups',
        ok: logs === minutes && logs === hours && logs === ledger,
        said: `otel_logs ${logs}, logs_1m ${minutes}, logs_1h ${hours}, ledger ${ledger}`,
      },
    ];
  }

  /** Acknowledged events that are not stored, and events that are stored more than once. */
  private async eventsNotOnce(): Promise<string[]> {
    const rows = await queryRows(
      this.fleet.urls.clickhouse,
      `SELECT ServiceName, count() FROM logweir.otel_logs
       WHERE ServiceName LIKE '${probeServices.replace('*', '%')}' GROUP BY ServiceName`,
    );
    const stored = new Map(rows.map(([service = '', count]) => [service, Number(count)]));
    return [...this.probes.probes.values()].flatMap(({ service, acknowledged }) => {
      const count = stored.get(service) ?? 0;
      const expected = acknowledged === true && !this.lostProbes.has(service);
      return count > 1 || (expected && count === 0) ? [`${service}: stored ${count} times`] : [];
    });
  }

  /** Each alert's first transition, told at least once. */
  async checkAlerts(): Promise<Check> {
    const deadline = Date.now() + patienceMs;
    const untoldOf = (): string[] => this.probes.missing.filter((service) => !this.lostProbes.has(service));
    while (untoldOf().length > 0 && Date.now() < deadline) await this.pause(200);
    const rows = await queryRows(
      this.fleet.urls.clickhouse,
      `SELECT ServiceName, max(has(Channels, 'probes')) FROM logweir.alerts
       WHERE State = 'firing' AND ServiceName LIKE '${probeServices.replace('*', '%')}' GROUP BY ServiceName`,
    );
    const recorded = new Set(rows.map(([service = '']) => service));
    const untold = rows.flatMap(([service = '', told]) =>
      told === '1' && !this.probes.wasTold(service) ? [service] : [],
    );
    const missing = untoldOf();
    const { deliveries, repeats } = this.probes;
    const sent = [...this.probes.probes.values()].filter(
      ({ acknowledged, service }) => acknowledged === true && !this.lostProbes.has(service),
    );
    const unrecorded = sent.flatMap(({ service }) => (recorded.has(service) ? [] : [service]));
    return {
      name: 'alerts',
      ok: missing.length === 0 && untold.length === 0 && unrecorded.length === 0,
      said: `${sent.length - missing.length} of ${sent.length} events told; ${recorded.size} alerts stored, ${unrecorded.length} not; ${deliveries} deliveries, ${repeats} of them repeats`,
      examples: [
        ...missing.map((service) => `${service}: no notification`),
        ...untold.map((service) => `${service}: stored as told, and was not`),
        ...unrecorded.map((service) => `${service}: no alert is stored`),
      ],
    };
  }

  /** A shipper gives up on most answers but 503 and 429: a cluster that is only away must not give others. */
  checkAnswers(): Check {
    const { unexpected, refusals } = this.delivery;
    const all = [...refusals].map(([status, count]) => `${status === 0 ? 'none' : status} ×${count}`);
    return {
      name: 'answers',
      ok: unexpected.size === 0,
      said: `other than 200: ${all.join(', ') || 'none'}`,
      examples: [...unexpected].map(([status, text]) => `${status}: ${text}`),
    };
  }

  /** Where a part of LOGS was lost, nobody can fold again what was learned before. */
  async checkProofs(): Promise<Check[]> {
    const { signal } = this.context;
    const books = reconcile(this.fleet, signal);
    return this.streamLost ? [await books] : Promise.all([verify(this.fleet, signal), books]);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    // What a failed run left behind must not keep this process.
    await Promise.race([Promise.all([this.stream.stop(0), this.probes.stop(0)]), sleep(10_000)]);
    this.delivery.close();
    await this.observer.close();
  }
}

export async function withRig<T>(
  context: ScenarioContext,
  options: RigOptions,
  run: (rig: Rig) => Promise<T>,
  keep: (result: T | undefined) => boolean,
): Promise<T> {
  const probes = new AlertProbes();
  const sink = await openWebhookSink((notification, atMs) => probes.take(notification as Told, atMs));
  try {
    const config = { ...(probeConfig(sink.url) as object), ...options.config };
    const cluster = { retainLogs: true, ...(options.config?.['cluster'] as object | undefined) };
    const fleetOptions = {
      workers: options.workers,
      coordinators: 2,
      gateways: 2,
      config: { ...config, cluster },
      signal: context.signal,
      note: context.note,
    };
    return await withFleet(
      fleetOptions,
      async (fleet) => {
        let rig: Rig | null = null;
        const observer = await observe(fleet.urls.nats, {
          beat: (beat) => rig?.watch.beat(beat, Date.now()),
          leads: (id) => rig?.watch.leads(id, Date.now()),
        });
        rig = new Rig(fleet, observer, probes, context, options);
        try {
          return await run(rig);
        } finally {
          await rig.close();
        }
      },
      keep,
    );
  } finally {
    await sink.close();
  }
}
