/** Where errors come from: severities per service, as shares of what each service logs. */
import type { ErrorDistribution, SeverityCounts } from '#api/types.ts';
import type { Resource } from '../data/use-resource.ts';
import { compact, count, percent } from '../format.ts';
import { Empty, Section, Service, Skeleton } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';

const loud = ['FATAL', 'ERROR', 'WARN'] as const;

const totalOf = (counts: SeverityCounts): number => Object.values(counts).reduce((sum, value) => sum + value, 0);
const loudOf = (counts: SeverityCounts): number => loud.reduce((sum, name) => sum + counts[name], 0);

export function Distribution({ errors, setView }: { errors: Resource<ErrorDistribution>; setView: SetView }) {
  const { data } = errors;
  const shareMax = Math.max(
    0.01,
    ...(data?.services ?? []).map(({ counts }) => loudOf(counts) / Math.max(1, totalOf(counts))),
  );
  return (
    <Section
      title="Error distribution"
      note={
        data === null ? '' : `${count(data.total.ERROR + data.total.FATAL)} errors, ${count(data.total.WARN)} warnings`
      }
    >
      <p class="keys" aria-hidden="true">
        <span class="key is-fatal">fatal</span>
        <span class="key is-error">error</span>
        <span class="key is-warn">warn</span>
        <span class="faint">share of the service's logs, up to {percent(shareMax)}</span>
      </p>
      {data === null && errors.loading && <Skeleton />}
      {data !== null && data.services.length === 0 && <Empty title="No logs in this range" />}
      <ul class="bars">
        {data?.services.map(({ service, counts }) => {
          const total = Math.max(1, totalOf(counts));
          const told = loud.map((name) => `${count(counts[name])} ${name.toLowerCase()}`).join(', ');
          return (
            <li key={service}>
              <button
                type="button"
                class="bar"
                title={`${service}: ${told} of ${count(totalOf(counts))} logs. Show them.`}
                onClick={() => setView({ tab: 'logs', service, severity: 13, text: '' })}
              >
                <Service name={service} />
                <span class="bar-track" role="img" aria-label={told}>
                  {loud.map((name) => (
                    <span
                      key={name}
                      class={`is-${name.toLowerCase()}`}
                      style={{ width: `${(counts[name] / total / shareMax) * 100}%` }}
                    />
                  ))}
                </span>
                <span class="bar-number">{compact(counts.ERROR + counts.FATAL)}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {data !== null && data.omitted > 0 && (
        <p class="faint note-below">{count(data.omitted)} more services with fewer errors.</p>
      )}
    </Section>
  );
}
