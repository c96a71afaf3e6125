/**
 * What the gateway's HTTP receivers ask before they read a request, and what they say of it: how much is held for whom, and
 * who must wait. Records that wait for the stream are counted by the publisher.
 */
import { LogweirError } from '#protocol/mod.ts';
import { type Share, shareOf } from './fair-share.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Quotas } from './quotas.ts';

/** A request that may be sent again, later. */
export class Refusal extends LogweirError {
  readonly retryAfterMs: number;

  constructor(
    code: 'NATS_UNAVAILABLE' | 'SHARE_EXCEEDED' | 'QUOTA_EXCEEDED',
    message: string,
    remedy: string,
    retryAfterMs: number,
  ) {
    super(code, message, remedy);
    this.retryAfterMs = retryAfterMs;
  }
}

/** How long who is told to wait for room is asked to, ms. */
const roomRetryMs = 1_000;

/** How often it is looked whether there is room for who is read as it sends, ms. */
const roomLookMs = 10;

export interface AdmissionOptions {
  /** Bytes of requests that are not answered: bodies as they came, and unpacked. */
  bytesMax: number;
  /** Records that wait for the stream. */
  records: { share(source: string): Share };
  sources: Quotas;
  services: Quotas;
  now: () => number;
}

export class Admission {
  readonly held = new HeldBytes();
  /** Requests refused, by why. */
  readonly refused = { full: 0, share: 0, sourceQuota: 0, serviceQuota: 0 };
  private readonly options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.options = options;
  }

  /** @throws Refusal where a request of this source, of so many bytes, must come later */
  check(source: string, bytes: number): void {
    const { records, sources, bytesMax, now } = this.options;
    const bodies = shareOf(this.held.of(source), bytes, this.held.total, bytesMax);
    const waiting = records.share(source);
    if (bodies === 'over' || waiting === 'over') throw this.overShare();
    if (bodies === 'full' || waiting === 'full') throw this.full();
    const waitMs = sources.isOff ? 0 : sources.waitMs(source, now());
    if (waitMs === 0) return;
    this.refused.sourceQuota++;
    throw new Refusal(
      'QUOTA_EXCEEDED',
      `${source} sends more than its quota.`,
      'Send again later; the quota is quotas.sources.',
      waitMs,
    );
  }

  /** Counts bytes that are held for a request, until the way back is called. @throws Refusal */
  hold(source: string, bytes: number): () => void {
    // What is under way already is only cut off where there is no room at all.
    // Said so that what is no number is refused, too: once added, nothing would be bounded any more.
    if (!(this.held.total + bytes <= this.options.bytesMax)) throw this.full();
    const name = this.held.nameOf(source);
    this.held.add(name, bytes);
    return () => this.held.add(name, -bytes);
  }

  /**
   * How long nothing more is read of a request that is taken as it comes, ms: its sender waits instead of being refused.
   * `services`: those that it had records of last, all of which it waits for.
   */
  pauseMs(source: string, services: Iterable<string>): number {
    const { records, sources, services: ofServices, now } = this.options;
    const nowMs = now();
    let waitMs = sources.isOff ? 0 : sources.waitMs(source, nowMs);
    if (!ofServices.isOff) for (const service of services) waitMs = Math.max(waitMs, ofServices.waitMs(service, nowMs));
    return waitMs === 0 && records.share(source) !== 'fits' ? roomLookMs : waitMs;
  }

  /** Services that must wait. */
  overdrawn(): Set<string> {
    const { services, now } = this.options;
    return services.isOff ? nobody : services.overdrawn(now());
  }

  overServiceQuota(service: string): Refusal {
    this.refused.serviceQuota++;
    const { services, now } = this.options;
    return new Refusal(
      'QUOTA_EXCEEDED',
      `The service ${service.slice(0, 100)} sends more than its quota.`,
      'Nothing of the request was taken. Send again later; the quota is quotas.services.',
      services.waitMs(service, now()),
    );
  }

  /** What a request cost. `services`: records and bytes by service, where services have quotas. */
  charge(source: string, records: number, bytes: number, services: ReadonlyMap<string, [number, number]> | null): void {
    const nowMs = this.options.now();
    if (!this.options.sources.isOff) this.options.sources.charge(source, records, bytes, nowMs);
    for (const [service, [ofService, size]] of services ?? [])
      this.options.services.charge(service, ofService, size, nowMs);
  }

  /** Sources and services of which quotas are counted. */
  get buckets(): number {
    return this.options.sources.size + this.options.services.size;
  }

  get hasServiceQuotas(): boolean {
    return !this.options.services.isOff;
  }

  private full(): Refusal {
    this.refused.full++;
    return new Refusal('NATS_UNAVAILABLE', 'The gateway holds as much as it may.', 'Send again shortly.', roomRetryMs);
  }

  private overShare(): Refusal {
    this.refused.share++;
    return new Refusal(
      'SHARE_EXCEEDED',
      'The gateway is nearly full, and holds more for this sender than for others.',
      'Send again shortly, with fewer requests at a time.',
      roomRetryMs,
    );
  }
}

const nobody: ReadonlySet<string> & Set<string> = new Set();
