/** What belongs together across services: rows of `incidents`, on ALERTS. Times in ms since 1970, event time. */

/** A finding within an incident. */
export interface IncidentMember {
  anomalyId: string;
  service: string;
  detector: string;
  subject: string;
  /** Highest score, 0–100. */
  score: number;
  /** It set in between these two; window detectors know the onset to a window only. */
  onsetFromMs: number;
  onsetByMs: number;
  endMs: number;
  /** One sentence for people. */
  description: string;
}

/** Something that findings of several services have in common. */
export interface IncidentClue {
  /** `id`: a trace, request or other identifier; `host`: a host or address; `mention`: a service that others name. */
  kind: 'id' | 'host' | 'mention' | 'text';
  value: string;
  services: string[];
}

/** One state of an incident; a later message replaces it. */
export interface IncidentVersion {
  /** 16 hex digits of (lane, first member). */
  incidentId: string;
  /** `merged`: it became part of `mergedInto`, or '' where what is left of it is too weak to be one. */
  state: 'open' | 'closed' | 'merged';
  mergedInto: string;
  lane: string;
  /** Such as `payments first, then checkout and web`. */
  title: string;
  /** One sentence: order, evidence, worst. */
  description: string;
  /** Earliest possible onset. */
  startedMs: number;
  /** Newest event time of a finding. */
  changedMs: number;
  endedMs: number;
  /** Of the worst member. */
  score: number;
  worstAnomalyId: string;
  /** Service that certainly began before all others; '' where onsets overlap, or there is only one service. */
  firstMover: string;
  /** In order of onset. */
  services: string[];
  /** By service: those with the same number began together, as far as is known; 0 is first. */
  ranks: number[];
  /** In order of onset, at most `incidentMembersMax`; the lowest scores are left out. */
  members: IncidentMember[];
  /** Findings beyond those. */
  more: number;
  clues: IncidentClue[];
}

/** Findings shown with an incident: more than anybody reads. */
export const incidentMembersMax = 50;
