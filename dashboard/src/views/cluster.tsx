/** The cluster itself: processes, partitions, lag, streams. */
import type { ClusterStatus, RateSample, RoleStatus, WorkerStatus } from '#api/types.ts';
import { samplesMax } from '../data/live.ts';
import { useResource } from '../data/use-resource.ts';
import { bytes, count, duration, figure, percent } from '../format.ts';
import { Empty, Failure, Section, Skeleton } from '../parts/bits.tsx';
import { Spark } from '../parts/spark.tsx';
import { useEvery } from '../parts/use-every.ts';
import { DeadLettersPanel } from './dead-letters.tsx';
import { ModelPanel } from './model.tsx';

/** A lag that people would feel, ms. */
const lagLoudMs = 1000;
const refreshMs = 2000;
/** Dead letters are asked for more rarely. */
const deadEveryPulses = 5;
/** Partitions drawn one by one; more are only counted. */
const cellsMax = 256;

export function ClusterView({ pulse, samples }: { pulse: number; samples: RateSample[] }) {
  const every = useEvery(refreshMs);
  const { data, error, loading } = useResource<ClusterStatus>('/cluster', pulse + every);
  if (data === null) {
    return (
      <Section title="Cluster">
        <Failure error={error} />
        {loading && <Skeleton rows={8} />}
      </Section>
    );
  }
  return (
    <>
      <Failure error={error} />
      <section class="figures" aria-label="Cluster figures">
        <div class="figure is-wide">
          <div class="figure-text">
            <h2>Analysed</h2>
            <p class="number">
              {figure(data.totals.recordsPerSecond)} <small>logs/s</small>
            </p>
            <p class="compare">{data.leader === null ? 'no leader' : `led by ${data.leader}, epoch ${data.epoch}`}</p>
          </div>
          <Spark
            values={samples.map((sample) => sample.recordsPerSecond)}
            slots={samplesMax}
            label="Logs per second over the last two minutes"
          />
        </div>
        <div class="figure">
          <h2>Workers</h2>
          <p class="number">{data.workers.length}</p>
          <p class="compare">{data.partitions} partitions</p>
        </div>
        <div class={`figure${data.totals.lagMs > lagLoudMs ? ' is-alarm' : ''}`}>
          <h2>Lag</h2>
          <p class="number">{duration(data.totals.lagMs)}</p>
          <p class="compare">of the slowest partition</p>
        </div>
      </section>
      <Section title="Workers" note={unassigned(data)}>
        {data.workers.length === 0 ? (
          <Empty title="No worker is alive">
            <p>
              Logs wait safely in the stream. Start one with <code>./logweir worker</code> or{' '}
              <code>./logweir scale 1</code>.
            </p>
          </Empty>
        ) : (
          <ul class="workers">
            {data.workers.map((worker) => (
              <Worker key={worker.id} worker={worker} partitions={data.partitions} />
            ))}
          </ul>
        )}
      </Section>
      <div class="halves">
        <Section title="Other processes">
          <Roles roles={[...data.gateways.map((gateway) => ({ ...gateway, role: 'gateway' })), ...data.others]} />
        </Section>
        <Section title="Streams">
          <ul class="bars streams">
            {data.streams.map(({ name, messages, bytes: size, limitBytes }) => (
              <li key={name} class="bar">
                <span>{name}</span>
                <span
                  class="bar-track"
                  role="img"
                  aria-label={limitBytes > 0 ? `${percent(size / limitBytes)} full` : 'no limit'}
                >
                  {limitBytes > 0 && (
                    <span class="is-water" style={{ width: `${Math.min(100, (size / limitBytes) * 100)}%` }} />
                  )}
                </span>
                <span class="bar-number">
                  {bytes(size)}
                  {limitBytes > 0 && <span class="faint"> of {bytes(limitBytes)}</span>} · {count(messages)} msgs
                </span>
              </li>
            ))}
          </ul>
        </Section>
      </div>
      <DeadLettersPanel pulse={Math.floor((pulse + every) / deadEveryPulses)} />
      <ModelPanel pulse={pulse + every} />
    </>
  );
}

function unassigned(data: ClusterStatus): string {
  const owned = new Set(data.workers.flatMap(({ partitions }) => partitions)).size;
  return owned === data.partitions
    ? 'every partition is owned'
    : `${data.partitions - owned} of ${data.partitions} partitions wait for an owner`;
}

function Worker({ worker, partitions }: { worker: WorkerStatus; partitions: number }) {
  const owned = new Set(worker.partitions);
  return (
    <li class="worker">
      <div class="worker-head">
        <strong>{worker.id}</strong>
        <span class="faint">
          {worker.host} · pid {worker.pid}
        </span>
        <span>{figure(worker.recordsPerSecond)} logs/s</span>
        <span class={worker.lagMs > lagLoudMs ? 'loud' : ''}>{duration(worker.lagMs)} lag</span>
        <span>{bytes(worker.rssBytes)}</span>
        <span class="faint">seen {duration(worker.heartbeatAgeMs)} ago</span>
      </div>
      {partitions <= cellsMax ? (
        <div class="cells" role="img" aria-label={`${owned.size} of ${partitions} partitions`}>
          {Array.from({ length: partitions }, (_, partition) => (
            <span
              key={partition}
              class={owned.has(partition) ? 'is-owned' : ''}
              title={`partition ${partition}${owned.has(partition) ? '' : ', not here'}`}
            />
          ))}
        </div>
      ) : (
        <p class="faint">
          {count(owned.size)} of {count(partitions)} partitions
        </p>
      )}
    </li>
  );
}

function Roles({ roles }: { roles: (RoleStatus & { role: string })[] }) {
  if (roles.length === 0) return <Empty title="None heard of yet" />;
  return (
    <div class="table-wrap">
      <table>
        <thead>
          <tr>
            <th>Role</th>
            <th>Process</th>
            <th class="number-cell">Logs/s</th>
            <th class="number-cell">Memory</th>
            <th class="number-cell">Seen</th>
          </tr>
        </thead>
        <tbody>
          {roles.map((role) => (
            <tr key={role.id}>
              <td>{role.role}</td>
              <td>
                {role.id} <span class="faint">pid {role.pid}</span>
              </td>
              <td class="number-cell">{figure(role.recordsPerSecond)}</td>
              <td class="number-cell">{bytes(role.rssBytes)}</td>
              <td class="number-cell">{duration(role.heartbeatAgeMs)} ago</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
