/** The templates mined from the logs. */
import type { TemplateItem } from '#api/types.ts';
import { usePages } from '../data/use-pages.ts';
import { ago, count, utc } from '../format.ts';
import { Empty, Failure, More, Section, Service, Skeleton } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { queryOf, type View } from '../state/view.ts';
import { ClassCells } from './correct-class.tsx';
import { TemplateText } from './template-text.tsx';

const sorts: readonly [View['sort'], string][] = [
  ['count', 'Most frequent'],
  ['newest', 'Newest'],
  ['rarest', 'Rarest'],
];

export function Templates({ view, setView, pulse }: { view: View; setView: SetView; pulse: number }) {
  const { service, text, sort, template } = view;
  const { first, items, more, error, loading, loadingMore, loadMore } = usePages<TemplateItem>(
    `/templates${queryOf({ service, text, template, sort })}`,
    pulse,
  );
  const nowMs = Date.now();
  return (
    <Section
      title="Templates"
      note={
        <fieldset class="pills">
          <legend class="hidden">Order</legend>
          {sorts.map(([name, label]) => (
            <button key={name} type="button" aria-pressed={sort === name} onClick={() => setView({ sort: name })}>
              {label}
            </button>
          ))}
        </fieldset>
      }
    >
      <Failure error={error} />
      {first === null && loading && <Skeleton rows={10} />}
      {first !== null && items.length === 0 && (
        <Empty title="No templates here">
          <p>A template appears with the first log that has its shape.</p>
        </Empty>
      )}
      {items.length > 0 && (
        <div class="table-wrap">
          <table>
            <thead>
              <tr>
                <th class="number-cell">Count</th>
                <th>Template</th>
                <th>Service</th>
                <th>Severity</th>
                <th>Category</th>
                <th>First seen</th>
                <th>Last seen</th>
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <tr key={`${item.service}/${item.templateId}`}>
                  <td class="number-cell">{count(item.count)}</td>
                  <td class="template-cell">
                    <button
                      type="button"
                      class="link mono"
                      onClick={() =>
                        setView({ tab: 'logs', template: item.templateId, service: item.service, text: '' })
                      }
                    >
                      <TemplateText text={item.template} />
                    </button>
                  </td>
                  <td>
                    <Service name={item.service} />
                  </td>
                  <ClassCells item={item} />
                  <td title={utc(item.firstSeenMs)}>{ago(item.firstSeenMs, nowMs)}</td>
                  <td title={utc(item.lastSeenMs)}>{ago(item.lastSeenMs, nowMs)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <More more={more} loading={loadingMore} onMore={loadMore} what="templates" />
    </Section>
  );
}
