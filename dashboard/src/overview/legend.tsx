/** The services beside the charts: which colour is whose, how much, how many errors. Click to see one alone. */
import type { ServiceSummary, Trend } from '#api/types.ts';
import { compact, count, percent } from '../format.ts';
import { hueOf } from '../palette.ts';
import { Skeleton } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';

interface Props {
  trend: Trend | null;
  services: ServiceSummary[];
  chosen: string;
  setView: SetView;
}

/** An error share that draws the eye. */
const loudShare = 0.05;

export function Legend({ trend, services, chosen, setView }: Props) {
  if (trend === null) return <Skeleton rows={8} />;
  const drawn = new Set(trend.series.map(({ service }) => service));
  return (
    <div class="legend">
      <div class="legend-head" aria-hidden="true">
        <span>Service</span>
        <span>Logs</span>
        <span>Errors</span>
      </div>
      <ul>
        {services.map((row) => (
          <li key={row.service}>
            <button
              type="button"
              aria-pressed={chosen === row.service}
              title={`${row.service}: ${count(row.logs)} logs, ${count(row.errors)} errors, ${count(row.anomalies)} anomalies`}
              onClick={() => setView({ service: chosen === row.service ? '' : row.service })}
            >
              <span class="service">
                <span
                  class={`swatch ${drawn.has(row.service) ? `hue-${hueOf(row.service)}` : 'hue-others'}`}
                  aria-hidden="true"
                />
                <span class="clip">{row.service}</span>
              </span>
              <span>{compact(row.logs)}</span>
              <span class={row.logs > 0 && row.errors / row.logs >= loudShare ? 'loud' : 'faint'}>
                {row.logs === 0 ? '–' : percent(row.errors / row.logs)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
