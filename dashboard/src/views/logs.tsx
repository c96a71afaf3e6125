/** Raw logs of the range, searched and paged. */
import type { LogItem, LogPage } from '#api/types.ts';
import { usePages } from '../data/use-pages.ts';
import { count } from '../format.ts';
import { Empty, Failure, More, Section, Skeleton } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { queryOf, type View } from '../state/view.ts';
import { LogRows } from './log-rows.tsx';

export function Logs({ view, setView, pulse }: { view: View; setView: SetView; pulse: number }) {
  const { from, to, service, severity, text, template, trace } = view;
  const path = `/logs${queryOf({ from, to, service, severity, text, template, trace })}`;
  const { first, items, more, error, loading, loadingMore, loadMore } = usePages<LogItem, LogPage>(path, pulse);
  return (
    <Section title="Logs" note={items.length > 0 ? `${count(items.length)}${more ? ' shown' : ''}, newest first` : ''}>
      <Failure error={error} />
      {first === null && loading && <Skeleton rows={12} />}
      {first !== null && items.length === 0 && (
        <Empty title="No logs match">
          <p>Widen the time range or clear a filter.</p>
        </Empty>
      )}
      <LogRows logs={items} find={text} setView={setView} oneService={service !== ''} />
      <More more={more} loading={loadingMore} onMore={loadMore} what="logs" />
    </Section>
  );
}
