/** Findings as a list, newest first, with the detectors that made them as filters. */
import type { AnomalyPage, AnomalySummary } from '#api/types.ts';
import type { Pages } from '../data/use-pages.ts';
import { count, figure, withoutService, words } from '../format.ts';
import { Empty, More, Score, Section, Service, Skeleton, Time } from '../parts/bits.tsx';
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
  return (
    <Section
      title="Anomalies"
      class="anomalies"
      note={items.length > 0 ? `${count(items.length)}${more ? '+' : ''}, newest first` : ''}
    >
      {detectors.length > 0 && (
        <fieldset class="pills">
          <legend class="hidden">Detector</legend>
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
            {view.service || view.detector || view.score || view.text ? ' with these filters' : ''}.
          </p>
        </Empty>
      )}
      <ul class="rows">
        {items.map((anomaly) => (
          <li key={anomaly.id}>
            <button
              type="button"
              class="anomaly"
              aria-pressed={view.anomaly === anomaly.id}
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
                <span class="faint anomaly-numbers">
                  {figure(anomaly.actual)} against a typical {figure(anomaly.typical)}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      <More more={more} loading={loadingMore} onMore={loadMore} what="anomalies" />
    </Section>
  );
}
