/** The figures at the top: now, and the range against the one before it. */
import type { Overview } from '#api/types.ts';
import type { ComponentChildren } from 'preact';
import { type Live, samplesMax } from '../data/live.ts';
import { compact, count, figure, percent } from '../format.ts';
import { Spark } from '../parts/spark.tsx';
import type { SetView } from '../state/use-view.ts';

interface Props {
  overview: Overview | null;
  live: Live;
  setView: SetView;
}

export function Figures({ overview, live, setView }: Props) {
  const now = live.samples.at(-1);
  const totals = overview?.totals;
  const previous = overview?.previous;
  const share = totals === undefined || totals.logs === 0 ? 0 : totals.errors / totals.logs;
  const shareBefore = previous === undefined || previous.logs === 0 ? null : previous.errors / previous.logs;
  return (
    <section class="figures" aria-label="Key figures">
      <div class="figure is-wide">
        <div class="figure-text">
          <h2>Now</h2>
          <p class="number" data-figure="rate">
            {now === undefined ? '–' : figure(now.recordsPerSecond)} <small>logs/s</small>
          </p>
          <p class="compare">
            {now === undefined ? 'waiting for the first sample' : `${figure(now.errorsPerSecond)} errors/s`}
          </p>
        </div>
        <Spark
          values={live.samples.map((sample) => sample.recordsPerSecond)}
          slots={samplesMax}
          label="Logs per second over the last two minutes"
        />
      </div>
      <Figure title="Logs" value={totals && compact(totals.logs)} exact={totals && count(totals.logs)}>
        <Change now={totals?.logs} before={previous?.logs} />
      </Figure>
      <Figure title="Errors" value={totals && compact(totals.errors)} exact={totals && count(totals.errors)}>
        {totals && `${percent(share)} of logs`}
        {shareBefore !== null && <span class="faint"> · {percent(shareBefore)} before</span>}
      </Figure>
      <Figure title="Anomalies" value={totals && count(totals.anomalies)}>
        {previous && <span class="faint">{count(previous.anomalies)} before</span>}
      </Figure>
      <Figure
        title="Alerts firing"
        value={overview ? count(overview.alertsFiring) : undefined}
        alarm={(overview?.alertsFiring ?? 0) > 0}
      >
        <button type="button" class="link" onClick={() => setView({ tab: 'alerts', text: '' })}>
          See alerts
        </button>
      </Figure>
    </section>
  );
}

interface FigureProps {
  title: string;
  value: string | undefined;
  exact?: string | undefined;
  alarm?: boolean;
  children?: ComponentChildren;
}

function Figure({ title, value, exact, alarm = false, children }: FigureProps) {
  return (
    <div class={`figure${alarm ? ' is-alarm' : ''}`}>
      <h2>{title}</h2>
      <p class="number" title={exact}>
        {value ?? <span class="ghost" />}
      </p>
      <p class="compare">{children}</p>
    </div>
  );
}

function Change({ now, before }: { now: number | undefined; before: number | undefined }) {
  if (now === undefined || before === undefined) return null;
  if (before === 0) return <span class="faint">none in the range before</span>;
  const change = now / before - 1;
  if (Math.abs(change) < 0.005) return <span class="faint">as in the range before</span>;
  const word = change > 0 ? 'more' : 'fewer';
  return (
    <>
      {change > 9
        ? `${figure(now / before)} times the range before`
        : `${percent(Math.abs(change))} ${word} than before`}
    </>
  );
}
