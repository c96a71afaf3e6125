/** Findings as a list, those that go on first, then newest first, with the detectors that made them as filters. */
import type { AnomalyPage, AnomalySummary } from '#api/types.ts';
import type { Pages } from '../data/use-pages.ts';
import { count, withoutService, words } from '../format.ts';
import { Course, Empty, More, Score, Section, Service, Skeleton, Time } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import type { View } from '../state/view.ts';

interface Props {
  pages: Pages<AnomalySummary, AnomalyPage>;
  view: View;
  setView: SetView;
  onOpen: (id: string) => void;
}

export function AnomalyList({ pages, view, setView, onOpen }: Props) {
  const { first, items, more, loading, loadingMore, loadMore } = pages;
  const detectors = first?.detectors ?? [];
  const goingOn = items.filter(({ open }) => open);
  const over = items.filter(({ open }) => !open);
  const rows = (of: AnomalySummary[]) => (
    <ul class="rows">
      {of.map((anomaly) => (
        <Row key={anomaly.id} anomaly={anomaly} chosen={view.anomaly === anomaly.id} onOpen={onOpen} />
      ))}
    </ul>
  );
  return (
    <Section
      title="Anomalies"
      class="anomalies"
      note={items.length > 0 ? `${count(goingOn.length)} going on of ${count(items.length)}${more ? '+' : ''}` : ''}
    >
      {detectors.length > 0 && (
        <fieldset class="pills">
          <legend class="hidden">Findings shown</legend>
          <button
            type="button"
            class="is-course"
            aria-pressed={view.open !== ''}
            onClick={() => setView({ open: view.open === '' ? 'true' : '' })}
          >
            going on
          </button>
          {detectors.map(({ detector, count: found }) => (
            <button
              key={detector}
              type="button"
              aria-pressed={view.detector === detector}
              onClick={() => setView({ detector: view.detector === detector ? '' : detector })}
            >
              {words(detector)} <span class="faint">{found}</span>
            </button>
          ))}
        </fieldset>
      )}
      {first === null && loading && <Skeleton />}
      {first !== null && items.length === 0 && (
        <Empty title="No anomalies here">
          <p>
            Nothing in this range stands out
            {view.service || view.detector || view.score || view.text || view.open ? ' with these filters' : ''}.
          </p>
        </Empty>
      )}
      {goingOn.length > 0 && (
        <section class="going-on" aria-labelledby="going-on">
          <h3 id="going-on">Going on</h3>
          {rows(goingOn)}
        </section>
      )}
      {over.length > 0 && (
        <section aria-labelledby="over">
          <h3 id="over" class={goingOn.length > 0 ? '' : 'hidden'}>
            Over, newest first
          </h3>
          {rows(over)}
        </section>
      )}
      <More more={more} loading={loadingMore} onMore={loadMore} what="anomalies" />
    </Section>
  );
}

function Row({ anomaly, chosen, onOpen }: { anomaly: AnomalySummary; chosen: boolean; onOpen: Props['onOpen'] }) {
  return (
    <li>
      <button
        type="button"
        class={`anomaly${anomaly.open ? ' is-open' : ''}`}
        aria-pressed={chosen}
        onClick={() => onOpen(anomaly.id)}
      >
        <Score value={anomaly.score} />
        <span class="anomaly-text">
          <span class="anomaly-line">
            <Service name={anomaly.service} />
            <span class="faint">{words(anomaly.detector)}</span>
            {anomaly.revised && (
              <span class="tag" title="Late records changed this finding">
                revised
              </span>
            )}
            <Time ms={anomaly.startMs} />
          </span>
          <span class="anomaly-words">{withoutService(anomaly)}</span>
          <Course anomaly={anomaly} />
        </span>
      </button>
    </li>
  );
}
