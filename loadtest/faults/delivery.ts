/**
 * Delivers requests as a good shipper does: one unacknowledged request a connection, and where no good answer comes,
 * the same body under the same `Idempotency-Key` again, to another gateway, until one acknowledges it.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  status: number;
  text: string;
}

export interface Acknowledged {
  /** Index of the gateway that did. */
  gateway: number;
  attempts: number;
  /** When the attempt that was acknowledged was sent, wall clock ms. */
  sentMs: number;
  rejected: number;
}

/** A frozen gateway answers nothing; its own patience with NATS is 8 s, and this is less, so that both give up in turn. */
const answerWithinMs = 6_000;
const againAfterMs = 200;
const lookEveryMs = 250;
const lookWithinMs = 1_000;

export class Delivery {
  /** Answers that were no acknowledgement, by status; 0 where none came. */
  readonly refusals = new Map<number, number>();
  /** What the first answer of each status said that a client should not see: neither "send again" nor yes. */
  readonly unexpected = new Map<number, string>();
  onAcknowledged: (acknowledged: Acknowledged) => void = () => {};
  private readonly gateways: readonly string[];
  private readonly agents: Agent[];
  /** Whether each gateway answered when it was last looked at. */
  private readonly up: boolean[];
  private readonly signal: AbortSignal;
  private readonly timer: NodeJS.Timeout;

  constructor(gateways: readonly string[], connections: number, signal: AbortSignal) {
    this.gateways = gateways;
    this.agents = gateways.map(() => new Agent({ keepAlive: true, maxSockets: connections + 2 }));
    this.up = gateways.map(() => true);
    this.signal = signal;
    this.timer = setInterval(() => this.look(), lookEveryMs);
  }

  private look(): void {
    for (const [index, url] of this.gateways.entries()) {
      void fetch(`${url}/healthz`, { signal: AbortSignal.timeout(lookWithinMs) }).then(
        async (response) => {
          await response.arrayBuffer();
          this.up[index] = response.ok;
        },
        () => {
          this.up[index] = false;
        },
      );
    }
  }

  /** Null where the run was aborted, or `until` passed, before anyone acknowledged it. */
  async deliver(body: Buffer, key: string, home: number, until: () => boolean): Promise<Acknowledged | null> {
    let at = home % this.gateways.length;
    for (let attempts = 1; !this.signal.aborted && !until(); attempts++) {
      const sentMs = Date.now();
      const gateway = this.choose(at);
      const answer = await this.post(gateway, body, key);
      if (answer?.status === 200) {
        const { rejected } = JSON.parse(answer.text) as { rejected: number };
        const acknowledged = { gateway, attempts, sentMs, rejected };
        this.onAcknowledged(acknowledged);
        return acknowledged;
      }
      const status = answer?.status ?? 0;
      this.refusals.set(status, (this.refusals.get(status) ?? 0) + 1);
      if (status !== 0 && status !== 503 && !this.unexpected.has(status))
        this.unexpected.set(status, answer?.text.slice(0, 400) ?? '');
      at = gateway + 1;
      await sleep(againAfterMs);
    }
    return null;
  }

  /** The wanted one, or the next that was up. */
  private choose(wanted: number): number {
    const { length } = this.gateways;
    for (let step = 0; step < length; step++) {
      const index = (wanted + step) % length;
      if (this.up[index] === true) return index;
    }
    return wanted % length;
  }

  private post(gateway: number, body: Buffer, key: string): Promise<Answer | null> {
    return new Promise((done) => {
      const headers = {
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
        'idempotency-key': key,
      };
      const options = { agent: this.agents[gateway] as Agent, method: 'POST', headers, timeout: answerWithinMs };
      const outgoing = request(new URL('/ingest', this.gateways[gateway]), options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => done({ status: response.statusCode ?? 0, text }));
        response.on('error', () => done(null));
      });
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', () => done(null));
      outgoing.end(body);
    });
  }

  close(): void {
    clearInterval(this.timer);
    for (const agent of this.agents) agent.destroy();
  }
}
