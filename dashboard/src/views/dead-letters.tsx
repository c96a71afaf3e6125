/** What could not be taken in the last day: how much of it and when, and each with its bytes. */
import type { DeadLetterDetail, DeadLetterItem, DeadLetters } from '#api/types.ts';
import { useState } from 'preact/hooks';
import { useResource } from '../data/use-resource.ts';
import { bytes, count, visible } from '../format.ts';
import { Empty, Failure, Section, Skeleton, Time } from '../parts/bits.tsx';
import { Spark } from '../parts/spark.tsx';

export function DeadLettersPanel({ pulse }: { pulse: number }) {
  const [reason, setReason] = useState('');
  const [open, setOpen] = useState('');
  const query = `/dead-letters?from=now-24h&limit=20${reason === '' ? '' : `&reason=${encodeURIComponent(reason)}`}`;
  const { data, error, loading } = useResource<DeadLetters>(query, pulse);
  const total = data?.kinds.reduce((sum, kind) => sum + kind.count, 0) ?? 0;
  return (
    <Section title="Dead letters" note="what could not be taken, last 24 hours">
      <Failure error={error} />
      {data === null && loading && <Skeleton rows={3} />}
      {data !== null && total === 0 && reason === '' && (
        <Empty title="None">
          <p>Everything that came in the last day was taken.</p>
        </Empty>
      )}
      {data !== null && (total > 0 || reason !== '') && (
        <>
          <ul class="dead-kinds">
            {data.kinds.map((kind) => (
              <li key={`${kind.reason} ${kind.receiver}`}>
                <button
                  type="button"
                  class="dead-kind"
                  aria-pressed={reason === kind.reason}
                  onClick={() => setReason(reason === kind.reason ? '' : kind.reason)}
                >
                  <span>
                    <strong>{kind.reason.replace('_', ' ')}</strong> <span class="faint">{kind.receiver}</span>
                  </span>
                  <span class="number">{count(kind.count)}</span>
                  <Spark
                    values={kind.steps}
                    slots={kind.steps.length}
                    label={`Dead letters over the last day: ${kind.reason} of ${kind.receiver}`}
                  />
                </button>
              </li>
            ))}
          </ul>
          <div class="table-wrap">
            <table>
              <thead>
                <tr>
                  <th>When</th>
                  <th>Reason</th>
                  <th>From</th>
                  <th>What is wrong</th>
                  <th class="number-cell">Size</th>
                </tr>
              </thead>
              <tbody>
                {data.items.map((item) => (
                  <Letter
                    key={item.id}
                    item={item}
                    isOpen={open === item.id}
                    onToggle={() => setOpen(open === item.id ? '' : item.id)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Section>
  );
}

function Letter({ item, isOpen, onToggle }: { item: DeadLetterItem; isOpen: boolean; onToggle: () => void }) {
  return (
    <>
      <tr>
        <td>
          <Time ms={item.atMs} />
        </td>
        <td>
          {item.reason.replace('_', ' ')} <span class="faint">{item.receiver}</span>
        </td>
        <td>{visible(item.source)}</td>
        <td>
          <button type="button" class="dead-open" aria-expanded={isOpen} onClick={onToggle}>
            {visible(item.detail)}
            <span class="faint dead-line">{visible(item.line)}</span>
          </button>
        </td>
        <td class="number-cell">{bytes(item.byteCount)}</td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={5}>
            <Content item={item} />
          </td>
        </tr>
      )}
    </>
  );
}

function Content({ item }: { item: DeadLetterItem }) {
  const { data, error } = useResource<DeadLetterDetail>(`/dead-letters/${item.id}`, 0);
  return (
    <>
      <Failure error={error} />
      {data !== null && (
        <>
          <pre class="dead-text">{visible(data.text)}</pre>
          {data.bytesMore > 0 && <p class="faint">{bytes(data.bytesMore)} more</p>}
          <p class="faint">
            {data.canRetry ? (
              <>
                When the cause is mended: <code>./logweir dead retry {item.id}</code>
              </>
            ) : (
              <>
                It cannot be sent by itself; its bytes: <code>./logweir dead show {item.id} --raw</code>
              </>
            )}
          </p>
        </>
      )}
    </>
  );
}
