/** Incidents: what belongs together across services, who began, and what it rests on. */
import type { IncidentDetail, IncidentItem, IncidentSummary } from '#api/types.ts';
import { usePages } from '../data/use-pages.ts';
import { useResource } from '../data/use-resource.ts';
import { ago, lasting, utc, visible, words } from '../format.ts';
import { Empty, Failure, More, Score, Section, Service, Skeleton, Time } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { queryOf, type View } from '../state/view.ts';
import { barOf, ticksOf } from './incident-scale.ts';
import '../styles/incidents.css';

interface Props {
  view: View;
  setView: SetView;
  pulse: number;
}

export function Incidents({ view, setView, pulse }: Props) {
  const { from, to, service, score } = view;
  const { first, items, more, error, loading, loadingMore, loadMore } = usePages<IncidentSummary>(
    `/incidents${queryOf({ from, to, service, score })}`,
    pulse,
  );
  const open = items.filter(({ state }) => state === 'open').length;
  // A link to an incident shows it, whatever the range.
  const elsewhere = view.incident !== '' && first !== null && !items.some(({ id }) => id === view.incident);
  return (
    <Section title="Incidents" note={items.length > 0 ? `${open} open of ${items.length} shown` : ''}>
      <Failure error={error} />
      {first === null && loading && <Skeleton rows={6} />}
      {elsewhere && (
        <div class="incident is-chosen">
          <Detail id={view.incident} pulse={pulse} setView={setView} />
        </div>
      )}
      {first !== null && items.length === 0 && !elsewhere && (
        <Empty title="No incidents">
          <p>
            Findings that set in near each other, or share a trace or a host, show up here as one: in the order in which
            services were hit. Nothing of the kind happened in this range.
          </p>
        </Empty>
      )}
      <ul class="rows incidents">
        {openFirst(items).map((incident) => (
          <Incident key={incident.id} incident={incident} view={view} setView={setView} pulse={pulse} />
        ))}
      </ul>
      <More more={more} loading={loadingMore} onMore={loadMore} what="incidents" />
    </Section>
  );
}

function openFirst(incidents: readonly IncidentSummary[]): IncidentSummary[] {
  return [...incidents].sort((a, b) => Number(b.state === 'open') - Number(a.state === 'open'));
}

function Incident({ incident, view, setView, pulse }: Props & { incident: IncidentSummary }) {
  const chosen = view.incident === incident.id;
  const lengthMs = Math.max(0, incident.endedMs - incident.startedMs);
  return (
    <li class={`incident is-${incident.state}${chosen ? ' is-chosen' : ''}`}>
      <button
        type="button"
        class="incident-head"
        aria-expanded={chosen}
        onClick={() => setView({ incident: chosen ? '' : incident.id })}
      >
        <span class="state">{incident.state}</span>
        <span class="incident-text">
          <span class="incident-title">{visible(incident.title)}</span>
          {!chosen && <span class="incident-about">{visible(incident.description)}</span>}
          <span class="incident-line">
            <Score value={incident.score} />
            <span class="incident-services">
              {incident.services.slice(0, 6).map((name) => (
                <Service key={name} name={name} />
              ))}
              {incident.services.length > 6 && <span class="faint">and {incident.services.length - 6} more</span>}
            </span>
            <span class="faint" title={utc(incident.startedMs)}>
              began {ago(incident.startedMs, Date.now())}
              {incident.state === 'open'
                ? `, last sign ${ago(incident.endedMs, Date.now())}`
                : lengthMs > 0 && `, lasted ${lasting(lengthMs)}`}
              {incident.lane !== 'live' && ` · lane ${incident.lane}`}
            </span>
          </span>
        </span>
      </button>
      {chosen && <Detail id={incident.id} pulse={pulse} setView={setView} />}
    </li>
  );
}

function Detail({ id, pulse, setView }: { id: string; pulse: number; setView: SetView }) {
  const { data, error, loading } = useResource<IncidentDetail>(`/incidents/${encodeURIComponent(id)}`, pulse);
  if (data === null) return error === null && loading ? <Skeleton rows={4} /> : <Failure error={error} />;
  const { incident, goingOn, alerts, logsRange } = data;
  if (incident.state === 'merged') return <Merged into={incident.mergedInto} setView={setView} />;
  const logsOf = (service: string): void =>
    setView({
      tab: 'logs',
      service,
      from: String(logsRange.fromMs),
      to: String(logsRange.toMs),
      anomaly: '',
      incident: '',
      text: '',
      severity: 0,
      template: '',
      trace: '',
    });
  return (
    <div class="incident-detail" data-incident={incident.id}>
      <p class="incident-sentence">{visible(incident.description)}</p>
      <Timeline incident={incident} goingOn={goingOn} onOpen={(anomaly) => setView({ anomaly })} />
      {incident.more > 0 && <p class="faint">and {incident.more} findings of lower score</p>}
      {incident.clues.length > 0 && (
        <>
          <h3>What they share</h3>
          <ul class="clues">
            {incident.clues.map(({ kind, value, services }) => (
              <li key={`${kind} ${value}`}>
                <span class="clue-kind">{clueWords[kind] ?? kind}</span>
                <code>{visible(value)}</code>
                <span class="faint">{services.join(', ')}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <p class="actions">
        <button type="button" class="button" onClick={() => logsOf('')}>
          Logs of this time
        </button>
        {incident.firstMover !== '' && (
          <button type="button" class="button" onClick={() => logsOf(incident.firstMover)}>
            Logs of {incident.firstMover}
          </button>
        )}
        {alerts.length > 0 && (
          <span class="faint">
            {alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`},{' '}
            {alerts.filter(({ state }) => state === 'firing').length} firing
          </span>
        )}
      </p>
    </div>
  );
}

const clueWords: Readonly<Record<string, string>> = {
  id: 'id',
  host: 'host',
  mention: 'named',
  text: 'message',
};

function Merged({ into, setView }: { into: string; setView: SetView }) {
  return (
    <p class="incident-detail">
      This became part of another incident.{' '}
      {into !== '' && (
        <button type="button" class="button" onClick={() => setView({ incident: into })}>
          Show it
        </button>
      )}
    </p>
  );
}

/** One row a member, in order of onset: hatched while it may have set in, filled until it ended. */
function Timeline({
  incident,
  goingOn,
  onOpen,
}: {
  incident: IncidentItem;
  goingOn: readonly string[];
  onOpen: (anomalyId: string) => void;
}) {
  const { members, startedMs, endedMs, firstMover, worstAnomalyId } = incident;
  return (
    <div class="timeline">
      <ol>
        {members.map((member) => {
          const { onset, rest } = barOf(member, startedMs, endedMs);
          const leads = member === members.find(({ service }) => service === firstMover);
          return (
            <li key={member.anomalyId}>
              <button type="button" class="timeline-row" onClick={() => onOpen(member.anomalyId)}>
                <span class="timeline-name">
                  <Service name={member.service} />
                  <span class="faint">{words(member.detector)}</span>
                  {leads && <span class="tag">first</span>}
                  {goingOn.includes(member.anomalyId) && <span class="tag is-open">going on</span>}
                  {member.anomalyId === worstAnomalyId && <span class="tag">worst</span>}
                </span>
                <span class="timeline-track" title={`Set in ${utc(member.onsetFromMs)} – ${utc(member.onsetByMs)}`}>
                  <span class="timeline-onset" style={{ left: `${onset.left}%`, width: `${onset.width}%` }} />
                  <span
                    class={`timeline-bar is-${member.score >= 75 ? 'high' : member.score >= 50 ? 'middle' : 'low'}`}
                    style={{ left: `${rest.left}%`, width: `${rest.width}%` }}
                  />
                </span>
                <Score value={member.score} />
              </button>
            </li>
          );
        })}
      </ol>
      <div class="timeline-axis" aria-hidden="true">
        {ticksOf(startedMs, endedMs).map(({ atMs, left }) => (
          <span key={atMs} style={{ left: `${left}%` }}>
            <Time ms={atMs} />
          </span>
        ))}
      </div>
    </div>
  );
}
