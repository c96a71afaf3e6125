/** An incident as it is stored and told: order of onset as far as it is known, what is shared, what is worst. */
import { createHash } from 'node:crypto';
import { type IncidentClue, type IncidentMember, type IncidentVersion, incidentMembersMax } from '#protocol/mod.ts';
import { united } from './clues.ts';
import { byOnset } from './cluster.ts';
import type { Clues, Finding, Onset } from './types.ts';

const cluesMax = 8;
const servicesNamedMax = 6;
const idShownMax = 12;
/** Services that fall silent together from here on are one standstill: of what brings their logs, as a rule. */
const standstillMin = 3;

/** A finding is of one lane; memo of a pure function. */
const ids = new WeakMap<Finding, string>();

export function incidentIdOf(lane: string, first: Finding): string {
  const known = ids.get(first);
  if (known !== undefined) return known;
  const id = createHash('sha256').update(['incident', lane, first.anomalyId].join('\u0000')).digest('hex').slice(0, 16);
  ids.set(first, id);
  return id;
}

interface ServiceView {
  service: string;
  onset: Onset;
  rank: number;
  clues: Clues;
}

export function rowOf(
  incidentId: string,
  lane: string,
  findings: readonly Finding[],
  state: 'open' | 'closed',
): IncidentVersion {
  const services = rankedServices(findings);
  const worst = findings.toSorted((a, b) => b.score - a.score || byOnset(a, b))[0] as Finding;
  const clues = sharedClues(services);
  const order = orderText(services);
  const isStandstill = services.length >= standstillMin && findings.every(({ detector }) => detector === 'silence');
  const shown = findings
    .toSorted((a, b) => b.score - a.score || byOnset(a, b))
    .slice(0, incidentMembersMax)
    .sort(byOnset);
  return {
    incidentId,
    state,
    mergedInto: '',
    lane,
    title: isStandstill
      ? `${services.length} services fell silent together`
      : services.length === 1
        ? `${worst.service}: ${worst.detector.replaceAll('_', ' ')}`
        : order,
    description: isStandstill ? standstill(services) : sentence(services, clues, worst),
    startedMs: Math.min(...findings.map(({ onset }) => onset.fromMs)),
    changedMs: Math.max(...findings.map(({ eventMs }) => eventMs)),
    endedMs: Math.max(...findings.map(({ endMs, onset }) => Math.max(endMs, onset.byMs))),
    score: worst.score,
    worstAnomalyId: worst.anomalyId,
    firstMover: firstMover(services),
    services: services.map(({ service }) => service),
    ranks: services.map(({ rank }) => rank),
    members: shown.map(memberOf),
    more: findings.length - shown.length,
    clues,
  };
}

function memberOf({
  anomalyId,
  service,
  detector,
  subject,
  score,
  onset,
  endMs,
  description,
}: Finding): IncidentMember {
  const { fromMs, byMs } = onset;
  return { anomalyId, service, detector, subject, score, onsetFromMs: fromMs, onsetByMs: byMs, endMs, description };
}

/** What an incident leaves behind whose findings are another's now; '' where those are too weak to be one. */
export function mergedRow(incidentId: string, now: IncidentVersion, mergedInto: string): IncidentVersion {
  return { ...now, incidentId, state: 'merged', mergedInto };
}

/**
 * A service set in at the earliest of its onsets. Order is claimed only where it is certain: a rank ends where all
 * onsets so far lie before all that follow.
 */
function rankedServices(findings: readonly Finding[]): ServiceView[] {
  const by = new Map<string, ServiceView>();
  for (const { service, onset, clues } of findings) {
    const known = by.get(service);
    by.set(
      service,
      known === undefined
        ? { service, onset, rank: 0, clues }
        : {
            ...known,
            onset: { fromMs: Math.min(known.onset.fromMs, onset.fromMs), byMs: Math.min(known.onset.byMs, onset.byMs) },
            clues: united(known.clues, clues),
          },
    );
  }
  const ordered = [...by.values()].sort(
    (a, b) => a.onset.byMs - b.onset.byMs || a.onset.fromMs - b.onset.fromMs || (a.service < b.service ? -1 : 1),
  );
  const startsAfter = new Array<number>(ordered.length + 1).fill(Number.POSITIVE_INFINITY);
  for (let at = ordered.length - 1; at >= 0; at--)
    startsAfter[at] = Math.min(startsAfter[at + 1] as number, (ordered[at] as ServiceView).onset.fromMs);
  let rank = 0;
  return ordered.map((one, at) => {
    const before = ordered[at - 1];
    // Two moments that are the same are not one after the other.
    if (
      before !== undefined &&
      before.onset.byMs <= (startsAfter[at] as number) &&
      before.onset.fromMs < one.onset.byMs
    )
      rank++;
    return { ...one, rank };
  });
}

function firstMover(services: readonly ServiceView[]): string {
  const [first, second] = services;
  return first !== undefined && second !== undefined && second.rank > first.rank ? first.service : '';
}

function sharedClues(services: readonly ServiceView[]): IncidentClue[] {
  const found = new Map<string, IncidentClue>();
  const note = (kind: IncidentClue['kind'], value: string, service: string): void => {
    const key = `${kind} ${value}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { kind, value, services: [service] });
    else known.services.push(service);
  };
  const named = new Map(services.map(({ service }) => [service.toLowerCase(), service]));
  for (const { service, clues } of services) {
    for (const id of clues.ids) note('id', id, service);
    for (const host of clues.hosts) note('host', host, service);
    for (const text of clues.texts) note('text', text, service);
    for (const word of clues.words) {
      const other = named.get(word);
      if (other !== undefined && other !== service) note('mention', other, service);
    }
  }
  const kinds: readonly IncidentClue['kind'][] = ['id', 'host', 'mention', 'text'];
  return [...found.values()]
    .filter(({ kind, services: of }) => kind === 'mention' || of.length > 1)
    .sort(
      (a, b) =>
        kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
        b.services.length - a.services.length ||
        (a.value < b.value ? -1 : 1),
    )
    .slice(0, cluesMax);
}

/** `payments first (02:14:00–02:14:30), then checkout and web`. */
function orderText(services: readonly ServiceView[], times = false): string {
  const ranks = new Map<number, ServiceView[]>();
  for (const one of services) ranks.set(one.rank, [...(ranks.get(one.rank) ?? []), one]);
  const [first = [], ...later] = [...ranks.values()];
  const lead = `${listOf(first)}${later.length > 0 ? ' first' : ' together'}${times ? ` (${spanOf(first)})` : ''}`;
  return [lead, ...later.map((rank) => `then ${listOf(rank)}`)].join(', ');
}

function sentence(services: readonly ServiceView[], clues: readonly IncidentClue[], worst: Finding): string {
  if (services.length === 1) return withService(worst);
  const shared = sharedTexts(clues);
  const named = clues.filter(({ kind }) => kind === 'mention').slice(0, 2);
  return [
    orderText(services, true),
    ...(shared.length > 0 ? [`shared: ${shared.join(', ')}`] : []),
    ...named.map(({ value, services: by }) => `${value} is named by ${listOfNames(by)}`),
    `worst, score ${Math.round(worst.score)}: ${withService(worst)}`,
  ].join('; ');
}

/** Their last records say when; that so many stop at once speaks for what they have in common. */
function standstill(services: readonly ServiceView[]): string {
  const last = services.map(({ onset }) => onset.fromMs);
  const [from, to] = [Math.min(...last), Math.max(...last)];
  const within = to - from < 1_000 ? 'within a second' : `within ${Math.ceil((to - from) / 1_000)} s`;
  return (
    `no records of ${services.length} services (${listOf(services)}) since ${clock(from)}, where they stopped ${within}:` +
    ' look first at what brings their logs, such as a collector or the network'
  );
}

function withService({ service, description }: Finding): string {
  return description.startsWith(`${service}:`) ? description : `${service}: ${description}`;
}

/** `host db-3`, `3 ids, such as 4bf92f3577b3…`. */
function sharedTexts(clues: readonly IncidentClue[]): string[] {
  const shortened = (value: string): string => (value.length > idShownMax ? `${value.slice(0, idShownMax)}…` : value);
  const ids = clues.filter(({ kind }) => kind === 'id').map(({ value }) => shortened(value));
  const hosts = clues.filter(({ kind }) => kind === 'host').map(({ value }) => value);
  return [
    ...(ids.length > 1 ? [`${ids.length} ids, such as ${ids[0]}`] : ids.map((id) => `id ${id}`)),
    ...hosts.slice(0, 2).map((host) => `host ${host}`),
  ];
}

function listOf(services: readonly ServiceView[]): string {
  return listOfNames(services.map(({ service }) => service));
}

function listOfNames(names: readonly string[]): string {
  const shown = names.slice(0, servicesNamedMax);
  const more = names.length - shown.length;
  const all = more > 0 ? [...shown, `${more} more`] : shown;
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

function spanOf(services: readonly ServiceView[]): string {
  const from = clock(Math.min(...services.map(({ onset }) => onset.fromMs)));
  const by = clock(Math.max(...services.map(({ onset }) => onset.byMs)));
  return `${from === by ? from : `${from}–${by}`} UTC`;
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}
