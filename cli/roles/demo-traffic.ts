/** Traffic of the demo: three quarters of an hour of history first, then the present, second by second, with incidents. */
import { request } from 'node:http';
import { cascade, type Incident, incidentRound, toNdjson, Traffic } from '#generator/mod.ts';

export interface DemoOptions {
  gatewayUrl: string;
  seed: number;
  ratePerSecond: number;
  clock: () => number;
  signal: AbortSignal;
}

/** Enough for every detector to know what is usual. */
export const historyMs = 45 * 60_000;
const firstIncidentMs = 30_000;
const incidentEveryMs = 90_000;
const incidentsMax = 2_000;
/** The fifth of the present is a cascade, in a pause of its own. */
const cascadeAfter = 4;
const cascadePauseMs = 240_000;
const stepMs = 1_000;
const linesPerPost = 2_000;

export class DemoTraffic {
  readonly incidents: Incident[];
  private readonly options: DemoOptions;
  private readonly startMs: number;
  private readonly traffic: Traffic;
  records = 0;

  constructor(options: DemoOptions) {
    this.options = options;
    this.startMs = Math.floor(options.clock() / stepMs) * stepMs;
    const firstMs = this.startMs + firstIncidentMs;
    const cascadeMs = firstMs + cascadeAfter * incidentEveryMs;
    const live = [
      ...incidentRound(firstMs, incidentEveryMs, cascadeAfter),
      ...cascade(cascadeMs),
      ...incidentRound(cascadeMs + cascadePauseMs, incidentEveryMs, incidentsMax, cascadeAfter),
    ];
    // A cascade and two others in the past as well, so that the timeline has something to show at once; of kinds that come last in the present.
    const past = incidentRound(this.startMs - 18 * 60_000, 8 * 60_000, 2, 5);
    this.incidents = [...cascade(this.startMs - 27 * 60_000), ...past, ...live];
    this.traffic = new Traffic({ seed: options.seed, ratePerSecond: options.ratePerSecond, incidents: this.incidents });
  }

  /** Sends what lies before now, as fast as it is taken. */
  async history(onProgress: (done: number, total: number) => void): Promise<void> {
    const past = new Traffic({
      seed: this.options.seed + 1,
      ratePerSecond: this.options.ratePerSecond,
      incidents: this.incidents,
    });
    let lines: string[] = [];
    for (let at = this.startMs - historyMs; at < this.startMs; at += stepMs) {
      if (this.options.signal.aborted) return;
      for (const record of past.step(at, at + stepMs)) lines.push(toNdjson(record));
      if (lines.length < linesPerPost) continue;
      await this.post(lines);
      lines = [];
      onProgress(at - this.startMs + historyMs, historyMs);
    }
    await this.post(lines);
  }

  /** Sends the present until aborted. Calls back when an incident begins. */
  async live(onIncident: (incident: Incident) => void): Promise<void> {
    const { clock, signal } = this.options;
    let at = this.startMs;
    let announced = 0;
    while (!signal.aborted) {
      const now = clock();
      if (at + stepMs > now) {
        await new Promise((resolve) => setTimeout(resolve, at + stepMs - now));
        continue;
      }
      for (; announced < this.incidents.length; announced++) {
        const incident = this.incidents[announced] as Incident;
        if (incident.fromMs > at) break;
        if (incident.fromMs >= this.startMs) onIncident(incident);
      }
      await this.post(this.traffic.step(at, at + stepMs).map(toNdjson));
      at += stepMs;
    }
  }

  /** A gateway that is away or full is asked again: the demo outlives restarts of roles. */
  private async post(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const body = Buffer.from(lines.join(''));
    while (!this.options.signal.aborted) {
      const status = await send(new URL('/ingest', this.options.gatewayUrl), body).catch(() => 0);
      if (status === 200) {
        this.records += lines.length;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function send(url: URL, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length };
    const outgoing = request(url, { method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
