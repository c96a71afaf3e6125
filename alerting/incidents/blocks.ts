/**
 * Stretches of findings that nothing joins across: each is grouped by itself, after what came before was learned.
 * So grouping is a fold over event time, whatever order findings came in; see `lane.ts`.
 */
import { byOnset, episodesOf } from './cluster.ts';
import type { Finding, IncidentConfig } from './types.ts';

export interface Block {
  /** In order of onset. */
  findings: Finding[];
  /** Onsets after it neither join nor change where it ends. */
  reachMs: number;
}

/** A stretch without a pause is cut after so many spans, at its widest gap. */
const spansMax = 2;

export function blocksOf(findings: Iterable<Finding>, config: IncidentConfig): Block[] {
  const ordered = [...findings].sort(byOnset);
  const blocks: Block[] = [];
  let from = 0;
  let reachMs = Number.NEGATIVE_INFINITY;
  for (const [at, finding] of ordered.entries()) {
    if (at > from && finding.onset.byMs > reachMs) {
      blocks.push({ findings: ordered.slice(from, at), reachMs });
      from = at;
      reachMs = Number.NEGATIVE_INFINITY;
    }
    const first = ordered[from] as Finding;
    if (finding.onset.byMs - first.onset.byMs > spansMax * config.spanMs) {
      const cut = widestGap(ordered, from, at);
      // Where it is cut is certain only when everything up to here is known.
      blocks.push({ findings: ordered.slice(from, cut), reachMs: finding.onset.byMs });
      from = cut;
      reachMs = Math.max(...ordered.slice(cut, at).map((one) => reachOf(one, config)), Number.NEGATIVE_INFINITY);
    }
    reachMs = Math.max(reachMs, reachOf(finding, config));
  }
  if (from < ordered.length) blocks.push({ findings: ordered.slice(from), reachMs });
  return blocks;
}

/** By the ends of onsets: what began long before it was noticed comes too late for what was settled meanwhile. */
function reachOf({ onset, groupEndMs }: Finding, { gapMs }: IncidentConfig): number {
  return Math.max(onset.byMs, groupEndMs) + gapMs;
}

/** Where the later half of a stretch, [from, to], is cut. */
function widestGap(ordered: readonly Finding[], from: number, to: number): number {
  const timeOf = (at: number): number => (ordered[at] as Finding).onset.byMs;
  const halfMs = (timeOf(from) + timeOf(to)) / 2;
  let cut = to;
  let widestMs = -1;
  for (let at = from + 1; at <= to; at++) {
    const gapMs = timeOf(at) - timeOf(at - 1);
    if (timeOf(at) < halfMs || gapMs <= widestMs) continue;
    widestMs = gapMs;
    cut = at;
  }
  return cut;
}

/** What a stretch teaches: onsets of strong episodes, in order. */
export function onsetsOf(findings: readonly Finding[], config: IncidentConfig): { service: string; atMs: number }[] {
  return episodesOf(findings, config)
    .filter(({ strong }) => strong)
    .map(({ service, onset }) => ({ service, atMs: onset.byMs }))
    .sort((a, b) => a.atMs - b.atMs || (a.service < b.service ? -1 : 1));
}
