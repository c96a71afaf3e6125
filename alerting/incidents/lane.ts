/**
 * The incidents of one lane in the making.
 *
 * I1  Grouping is a function of the set of findings and of event time, not of the order in which partitions deliver:
 *     all that is not settled is grouped anew when a finding comes, as a fold over event time from what is.
 * I2  What a finding is grouped by ends `settleMs` of event time after its onset, so that it is the same however far
 *     other partitions are. Only what is shown of it goes on to change.
 * I3  A stretch is settled once it is `lateMs` old in stream time. Partitions that are less than that apart cannot
 *     change an id or a final version; a finding that comes later than that makes an incident of its own, and is counted.
 */
import { createHash } from 'node:crypto';
import type { Anomaly, IncidentVersion } from '#protocol/mod.ts';
import { type Block, blocksOf, onsetsOf } from './blocks.ts';
import { cluesOf, sameClues, united } from './clues.ts';
import { byOnset, clustersOf } from './cluster.ts';
import { learn } from './model.ts';
import { incidentIdOf, mergedRow, rowOf } from './row.ts';
import { type Finding, findingsMax, type IncidentConfig, type IncidentTotals, type Lane, settleMs } from './types.ts';

/** Versions of an incident that only say more of the same are at least so far apart, ms. */
const publishEveryMs = 2_000;
/** What does not add a finding is grouped at most so often, ms. */
const sweepEveryMs = 1_000;
/** Of more findings than this, new ones wait for the same: alerts of a storm do not wait for their incident. */
const sweepAtOnceMax = 150;
const checkEveryMs = 1_000;
/** An incident of long ago is over this soon after its last finding was read, ms. */
const pastQuietMs = 30_000;

/** Usual pauses between two records after which it is next to certain that a silence had begun. */
const pausesToSilence = 4;

/**
 * A finding set in by the moment that decided it. A silence did long before that: when the records did not come that were
 * due after the last one.
 */
function onsetByMs({ detector, startMs, decidedAtMs, typical }: Anomaly): number {
  const byMs = Math.max(startMs, decidedAtMs);
  return detector === 'silence' && typical > 0
    ? Math.min(byMs, startMs + Math.ceil((1_000 * pausesToSilence) / typical))
    : byMs;
}

export class LaneWork {
  private readonly config: IncidentConfig;
  private readonly totals: IncidentTotals;
  private readonly before: Lane;
  private readonly findings: Map<string, Finding>;
  private readonly published: Map<string, Lane['published'] extends ReadonlyMap<string, infer P> ? P : never>;
  private readonly news: Set<string>;
  private incidentOf: Map<string, string>;
  private readonly frozen: Map<string, readonly string[]>;
  private present: Map<string, readonly string[]>;
  private readonly rows: IncidentVersion[] = [];
  private added = false;
  private stale: boolean;
  private horizonMs: number;
  private model: Lane['model'];
  private sweptMs: number;
  private checkedMs: number;

  constructor(lane: Lane, config: IncidentConfig, totals: IncidentTotals) {
    this.before = lane;
    this.config = config;
    this.totals = totals;
    this.findings = new Map(lane.findings);
    this.published = new Map(lane.published);
    this.news = new Set(lane.news);
    this.incidentOf = new Map(lane.incidentOf);
    this.frozen = new Map(lane.frozen);
    this.present = new Map(lane.present);
    ({ stale: this.stale, horizonMs: this.horizonMs, model: this.model } = lane);
    ({ sweptMs: this.sweptMs, checkedMs: this.checkedMs } = lane);
  }

  take(anomaly: Anomaly, nowMs: number): void {
    const known = this.findings.get(anomaly.anomalyId);
    if (known !== undefined) this.update(known, anomaly, nowMs);
    else if (anomaly.score >= this.config.memberScoreMin) this.add(anomaly, nowMs);
  }

  private add(anomaly: Anomaly, nowMs: number): void {
    const { anomalyId, service, detector, subject, score, endMs, eventMs, description, open = false } = anomaly;
    const byMs = onsetByMs(anomaly);
    const finding: Finding = {
      anomalyId,
      service,
      detector,
      subject,
      onset: { fromMs: anomaly.startMs, byMs },
      groupScore: score,
      groupEndMs: Math.min(endMs, byMs + settleMs),
      clues: cluesOf(anomaly),
      peakScore: score,
      score,
      endMs,
      eventMs,
      description,
      open,
      // A finding that was too weak until now is late by its own time, whenever it is read.
      alone: byMs <= this.horizonMs || eventMs > byMs + settleMs,
      firstSeenMs: nowMs,
      seenMs: nowMs,
    };
    this.findings.set(anomalyId, finding);
    if (!finding.alone) {
      this.stale = true;
      this.added = true;
      return;
    }
    this.totals.late++;
    const id = incidentIdOf(this.before.lane, finding);
    this.frozen.set(id, [anomalyId]);
    this.incidentOf.set(anomalyId, id);
    this.news.add(id);
  }

  private update(known: Finding, anomaly: Anomaly, nowMs: number): void {
    const { score, endMs, eventMs, description, open = false } = anomaly;
    const peakScore = Math.max(known.peakScore, score);
    const finding: Finding = { ...known, peakScore, score, endMs, eventMs, description, open, seenMs: nowMs };
    const { byMs } = known.onset;
    // I2
    if (eventMs <= byMs + settleMs) {
      finding.groupScore = Math.max(known.groupScore, score);
      finding.groupEndMs = Math.max(known.groupEndMs, Math.min(endMs, byMs + settleMs));
      const clues = united(known.clues, cluesOf(anomaly));
      finding.clues = sameClues(clues, known.clues) ? known.clues : clues;
      this.stale ||=
        !known.alone &&
        byMs > this.horizonMs &&
        (finding.clues !== known.clues ||
          finding.groupScore !== known.groupScore ||
          finding.groupEndMs !== known.groupEndMs);
    }
    // Last in the map is what was heard of last.
    this.findings.delete(known.anomalyId);
    this.findings.set(known.anomalyId, finding);
    const id = this.incidentOf.get(known.anomalyId);
    if (id !== undefined) this.news.add(id);
  }

  /** Groups what there is to group, settles what is old enough, and gives what there is to publish. */
  finish(nowMs: number): { lane: Lane; rows: IncidentVersion[] } {
    this.makeRoom(nowMs);
    let open = this.findings.size;
    for (const settled of this.frozen.values()) open -= settled.length;
    if (this.stale && (nowMs - this.sweptMs >= sweepEveryMs || (this.added && open <= sweepAtOnceMax)))
      this.sweep(nowMs);
    if (nowMs - this.checkedMs >= checkEveryMs || nowMs < this.checkedMs) {
      this.checkedMs = nowMs;
      if (!this.stale) this.settle(nowMs);
      this.noticeEnds(nowMs);
    }
    this.publish(nowMs);
    if (this.checkedMs === nowMs) this.forget(nowMs);
    const { lane } = this.before;
    const { findings, horizonMs, model, frozen, present, stale, incidentOf, news, published, sweptMs, checkedMs } =
      this;
    return {
      lane: {
        lane,
        findings,
        horizonMs,
        model,
        frozen,
        present,
        stale,
        incidentOf,
        news,
        published,
        sweptMs,
        checkedMs,
      },
      rows: this.rows,
    };
  }

  private unsettled(): Block[] {
    const { horizonMs } = this;
    return blocksOf(
      [...this.findings.values()].filter(({ alone, onset }) => !alone && onset.byMs > horizonMs),
      this.config,
    );
  }

  /** I1 */
  private sweep(nowMs: number): void {
    this.stale = false;
    this.added = false;
    this.sweptMs = nowMs;
    const former = this.present;
    this.present = new Map();
    let { model } = this;
    const blocks = this.unsettled();
    for (const [at, { findings }] of blocks.entries()) {
      for (const cluster of clustersOf(findings, model, this.config)) this.present.set(...this.clusterOf(cluster));
      if (at < blocks.length - 1) model = learn(model, onsetsOf(findings, this.config));
    }
    for (const [id, findings] of this.present) {
      for (const one of findings) this.incidentOf.set(one, id);
      const was = former.get(id);
      if (was?.join() !== findings.join()) this.news.add(id);
      former.delete(id);
    }
    for (const [id, findings] of former) this.withdraw(id, findings, nowMs);
  }

  private clusterOf(findings: readonly Finding[]): [string, string[]] {
    const strong = findings.find(({ groupScore }) => groupScore >= this.config.scoreMin) ?? findings[0];
    return [incidentIdOf(this.before.lane, strong as Finding), findings.map(({ anomalyId }) => anomalyId)];
  }

  /** Its findings are another incident's now. */
  private withdraw(id: string, findings: readonly string[], nowMs: number): void {
    this.news.delete(id);
    const into = this.incidentOf.get(findings[0] as string);
    if (!this.published.delete(id) || into === undefined) return;
    this.totals.merged++;
    const now = rowOf(into, this.before.lane, this.findingsOf(into).sort(byOnset), 'closed');
    this.rows.push(mergedRow(id, now, this.rowOf(into, nowMs) === null ? '' : into));
  }

  /** I3 */
  private settle(nowMs: number): void {
    const { lateMs } = this.config;
    const live = this.before.lane === 'live';
    for (const { findings, reachMs } of this.unsettled()) {
      const seenMs = Math.max(...findings.map(({ firstSeenMs }) => firstSeenMs));
      // A finding may be too weak to count until `settleMs` after its onset, and then end a stretch elsewhere.
      if (nowMs < seenMs + lateMs || (live && nowMs < reachMs + settleMs + lateMs)) return;
      for (const { anomalyId } of findings) {
        const id = this.incidentOf.get(anomalyId) as string;
        const members = this.present.get(id);
        if (members !== undefined) this.frozen.set(id, members);
        this.present.delete(id);
      }
      this.model = learn(this.model, onsetsOf(findings, this.config));
      this.horizonMs = Math.max(...findings.map(({ onset }) => onset.byMs));
    }
  }

  private noticeEnds(nowMs: number): void {
    for (const [id, { state }] of this.published) {
      if (state === 'open' && this.isOver(this.findingsOf(id), nowMs)) this.news.add(id);
    }
  }

  /** Weak findings do not keep an incident open. */
  private isOver(findings: readonly Finding[], nowMs: number): boolean {
    const { scoreMin, quietMs, openMaxMs } = this.config;
    const strong = findings.filter(({ peakScore }) => peakScore >= scoreMin);
    const seenMs = Math.max(...strong.map((one) => one.seenMs));
    const endMs = Math.max(...strong.map((one) => one.endMs));
    const silentMs = nowMs - seenMs;
    if (strong.some(({ open, seenMs: at }) => open === true && nowMs - at < openMaxMs)) return false;
    return silentMs >= quietMs || (silentMs >= pastQuietMs && nowMs - endMs >= 2 * quietMs);
  }

  private findingsOf(id: string): Finding[] {
    return (this.present.get(id) ?? this.frozen.get(id) ?? []).flatMap((one) => this.findings.get(one) ?? []);
  }

  private rowOf(id: string, nowMs: number): IncidentVersion | null {
    const findings = this.findingsOf(id).sort(byOnset);
    const { scoreMin } = this.config;
    // Weak findings alone are no incident.
    if (!findings.some(({ peakScore }) => peakScore >= scoreMin)) return null;
    return rowOf(id, this.before.lane, findings, this.isOver(findings, nowMs) ? 'closed' : 'open');
  }

  private publish(nowMs: number): void {
    for (const id of this.news) {
      const row = this.rowOf(id, nowMs);
      const last = this.published.get(id);
      if (row === null) {
        this.news.delete(id);
        continue;
      }
      const findings = row.members.map(({ anomalyId }) => anomalyId).join();
      const more = last === undefined || last.findings !== findings || last.state !== row.state;
      if (!more && nowMs - last.seenMs < publishEveryMs) continue;
      this.news.delete(id);
      const digest = createHash('sha256').update(JSON.stringify(row)).digest('hex').slice(0, 16);
      if (last?.digest === digest) continue;
      if (last === undefined) this.totals.opened++;
      this.totals.published++;
      this.published.set(id, { digest, findings, state: row.state === 'open' ? 'open' : 'closed', seenMs: nowMs });
      this.rows.push(row);
    }
  }

  private forget(nowMs: number): void {
    const gone = new Set<string>();
    for (const id of this.frozen.keys()) {
      const findings = this.findingsOf(id);
      const seenMs = Math.max(...findings.map((one) => one.seenMs));
      if (!this.news.has(id) && this.published.get(id)?.state !== 'open' && nowMs - seenMs >= this.config.lateMs)
        gone.add(id);
    }
    if (gone.size > 0) this.drop(gone);
  }

  private drop(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      for (const one of this.present.get(id) ?? this.frozen.get(id) ?? []) {
        this.findings.delete(one);
        this.incidentOf.delete(one);
      }
      this.published.delete(id);
      this.news.delete(id);
      this.frozen.delete(id);
      this.present.delete(id);
    }
  }

  /** Over the bound, incidents with the oldest news are closed and forgotten. */
  private makeRoom(nowMs: number): void {
    if (this.findings.size <= findingsMax) return;
    if (this.stale) this.sweep(nowMs);
    const ids = new Set<string>();
    let size = this.findings.size;
    // A tenth at once: room is not made for each finding anew.
    for (const anomalyId of this.findings.keys()) {
      if (size <= 0.9 * findingsMax) break;
      const id = this.incidentOf.get(anomalyId);
      if (id === undefined || ids.has(id)) continue;
      ids.add(id);
      size -= this.findingsOf(id).length;
    }
    for (const id of ids) {
      const findings = this.findingsOf(id);
      this.totals.evicted += findings.length;
      const row = this.rowOf(id, nowMs);
      if (row !== null) this.rows.push({ ...row, state: 'closed' });
    }
    this.drop(ids);
  }
}
