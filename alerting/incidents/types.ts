/**
 * The words of incidents. All of it is plain data, replaced and never changed in place. Times are ms since 1970: event
 * time where a finding is spoken of, stream time where a name says `seen`.
 */

export interface IncidentConfig {
  /** Findings from this score on make an incident; the alerts' own. */
  scoreMin: number;
  /** Weaker findings from this score on may join one, and nothing joins by them. */
  memberScoreMin: number;
  /** Onsets further apart are not one incident, ms. */
  gapMs: number;
  /** First and last onset of an incident are at most so far apart, ms. */
  spanMs: number;
  /** Findings that come later than this after others may miss the incident they belong to, ms. */
  lateMs: number;
  /** Without news for this long it is over, ms. */
  quietMs: number;
  /** The same where a finding of it goes on, whose end has to follow, ms. */
  openMaxMs: number;
}

/** What the text of a finding names. Each list is sorted, without repeats and bounded. */
export interface Clues {
  ids: readonly string[];
  hosts: readonly string[];
  /** Lower case; where services are looked for. */
  words: readonly string[];
  texts: readonly string[];
}

/** Where an onset lies, both ends included. */
export interface Onset {
  fromMs: number;
  byMs: number;
}

/** The latest version of an anomaly, with what it is grouped by. */
export interface Finding {
  anomalyId: string;
  service: string;
  detector: string;
  subject: string;
  onset: Onset;
  /**
   * What grouping looks at: from versions up to `settleMs` of event time after the onset, so that it is the same
   * whenever the later ones come.
   */
  groupScore: number;
  groupEndMs: number;
  clues: Clues;
  /** Highest of all versions: a finding that was strong once makes an incident, whatever late records make of it. */
  peakScore: number;
  /** Of the latest version. */
  score: number;
  endMs: number;
  eventMs: number;
  description: string;
  /** It goes on. Not known of findings from before this was said. */
  open?: boolean;
  /** It came too late to be grouped, and stands by itself. */
  alone: boolean;
  firstSeenMs: number;
  seenMs: number;
}

/** Findings that belong together, by incident: anomaly ids in order of onset. */
export type Clusters = ReadonlyMap<string, readonly string[]>;

/** What was learned of services, in event time. */
export interface Model {
  /** Event time of the first onset; null before it. */
  sinceMs: number | null;
  /** Onsets by service; the one longest without an onset first. */
  services: ReadonlyMap<string, Fading>;
  /** Onsets of two services near each other, by `a\u0000b`. */
  pairs: ReadonlyMap<string, Fading>;
}

/** A count that fades: half of it is left after `halfLifeMs`. */
export interface Fading {
  count: number;
  atMs: number;
}

export interface Published {
  /** Says whether a row says anything new. */
  digest: string;
  /** Findings in it, as a text. */
  findings: string;
  state: 'open' | 'closed';
  seenMs: number;
}

/** Each lane (live, or a job that reads files) has a time of its own. */
export interface Lane {
  lane: string;
  findings: ReadonlyMap<string, Finding>;
  /** Findings with an onset up to here are grouped for good. */
  horizonMs: number;
  model: Model;
  /** For good. */
  frozen: Clusters;
  /** As it stands; of findings beyond the horizon. */
  present: Clusters;
  /** Findings changed in what grouping looks at. */
  stale: boolean;
  /** Incident by finding. */
  incidentOf: ReadonlyMap<string, string>;
  /** Incidents with news that was not published yet. */
  news: ReadonlySet<string>;
  published: ReadonlyMap<string, Published>;
  sweptMs: number;
  checkedMs: number;
}

export interface IncidentTotals {
  opened: number;
  /** Versions published. */
  published: number;
  merged: number;
  /** Findings that came after their time was grouped for good. */
  late: number;
  /** Findings forgotten early, for want of room. */
  evicted: number;
}

export interface IncidentsState {
  /** The one longest without a finding first. */
  lanes: ReadonlyMap<string, Lane>;
  totals: IncidentTotals;
}

/** Findings of a lane at once: 25 minutes of a storm of one a second. What is over is forgotten, oldest news first. */
export const findingsMax = 2_000;
export const lanesMax = 32;
/** Event time after its onset for which a finding still gathers what it is grouped by. */
export const settleMs = 600_000;

export function emptyIncidents(): IncidentsState {
  return { lanes: new Map(), totals: { opened: 0, published: 0, merged: 0, late: 0, evicted: 0 } };
}
