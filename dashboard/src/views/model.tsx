/** The model that classifies: how right it is where the truth is known, drift, learners, versions, corrections. */
import type { CorrectionHistory, CorrectionPage, ModelStatus, TaskStatus } from '#api/types.ts';
import { useState } from 'preact/hooks';
import { ApiError, sendJson } from '../data/fetch.ts';
import { useResource } from '../data/use-resource.ts';
import { compact, count, percent, visible } from '../format.ts';
import { Failure, Section, Skeleton, Time } from '../parts/bits.tsx';
import { Training } from './model-training.tsx';
import { TemplateText } from './template-text.tsx';

/** Labels in the table of confusions; more are counted together. */
const labelsMax = 8;

export function ModelPanel({ pulse }: { pulse: number }) {
  const [asked, setAsked] = useState(0);
  const { data, error } = useResource<ModelStatus>('/model', pulse + asked);
  if (data === null)
    return error !== null ? (
      <Failure error={error} />
    ) : (
      <Section title="Classification">
        <Skeleton rows={6} />
      </Section>
    );
  const { serving, latency, unknownWords, wordDrifts } = data;
  const name = serving === 0 ? 'the built-in model' : `model ${serving}`;
  return (
    <Section title="Classification" note={data.settled ? `${name} serves` : `changing to ${name}`}>
      <Failure error={error} />
      <div class="model-tasks">
        <Task name="Severity" task={data.severity} />
        {data.category.records > 0 && <Task name="Category" task={data.category} />}
      </div>
      <p class="faint">
        {latency.meanMs !== null &&
          `${count(latency.templates)} templates classified, ${latency.meanMs.toFixed(2)} ms each on average${
            latency.p99Ms === null ? '' : `, 99 % within ${latency.p99Ms} ms`
          }. `}
        {unknownWords !== null &&
          `${percent(unknownWords)} of the words in new templates are unknown to it${
            wordDrifts > 0
              ? `; that share rose ${wordDrifts === 1 ? 'once' : `${wordDrifts} times`}: time to train again`
              : ''
          }.`}
      </p>
      <Training data={data} onChange={() => setAsked((n) => n + 1)} />
      {data.corrections > 0 && <Corrections pulse={pulse} />}
      <History pulse={pulse} />
      {data.corrections >= data.correctionsMax * 0.9 && (
        <p class="loud">
          {count(data.corrections)} of {count(data.correctionsMax)} corrections are kept: train a model with them, then
          take back those that it has learned.
        </p>
      )}
    </Section>
  );
}

function Task({ name, task }: { name: string; task: TaskStatus }) {
  if (task.records === 0 || task.accuracy === null)
    return (
      <div class="model-task">
        <h3>{name}</h3>
        <p class="faint">Nothing to measure it by yet: senders gave no severities.</p>
      </div>
    );
  const most = Math.max(1, ...task.confidence.map(({ records }) => records));
  return (
    <div class="model-task">
      <h3>{name}</h3>
      <p>
        <strong class="number">{percent(task.accuracy)}</strong> right in {compact(task.records)} answers
        {task.recentAccuracy !== null && `, ${percent(task.recentAccuracy)} of late`}
        {task.drifts > 0 && <span class="loud"> · drifted {task.drifts}×</span>}
      </p>
      <div class="model-body">
        <Confusion task={task} />
        <div>
          <p class="faint">Answers by confidence; the yellow part was wrong</p>
          <div
            class="histogram"
            role="img"
            aria-label="Answers by confidence, from 0 to 100 %; the yellow part was wrong"
          >
            {task.confidence.map(({ from, records, right }) => (
              <span
                key={from}
                style={{ height: `${(records / most) ** 0.5 * 100}%` }}
                title={`${percent(from)}–${percent(from + 0.1)} sure: ${count(right)} of ${count(records)} right`}
              >
                <i style={{ height: records === 0 ? '0' : `${(right / records) * 100}%` }} />
              </span>
            ))}
          </div>
          <p class="faint histogram-axis">
            <span>unsure</span>
            <span>certain</span>
          </p>
          <p class="faint">Learners: the bar is the weight in the answer</p>
          <ul class="bars learners">
            {task.learners.map(({ name: learner, weight, accuracy }) => (
              <li key={learner} class="bar">
                <span>{learner}</span>
                <span
                  class="bar-track"
                  role="img"
                  aria-label={`weight ${weight.toFixed(2)}`}
                  title={`weight ${weight.toFixed(2)}`}
                >
                  <span class="is-water" style={{ width: `${Math.min(100, weight * 50)}%` }} />
                </span>
                <span class="bar-number">{percent(accuracy)} right</span>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </div>
  );
}

function Confusion({ task }: { task: TaskStatus }) {
  const sums = new Map<string, number>();
  for (const { truth, answer, records } of task.confusion)
    for (const label of new Set([truth, answer])) sums.set(label, (sums.get(label) ?? 0) + records);
  const order = ['DEBUG', 'INFO', 'WARN', 'ERROR'];
  const labels = [...sums]
    .sort(([a, x], [b, y]) => (order.includes(a) && order.includes(b) ? order.indexOf(a) - order.indexOf(b) : y - x))
    .slice(0, labelsMax)
    .map(([label]) => label);
  const at = (truth: string, answer: string): number =>
    task.confusion.find((cell) => cell.truth === truth && cell.answer === answer)?.records ?? 0;
  return (
    <div class="table-wrap">
      <table class="confusion">
        <thead>
          <tr>
            <th>truth \ answer</th>
            {labels.map((label) => (
              <th key={label} class="number-cell">
                {visible(label)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {labels.map((truth) => (
            <tr key={truth}>
              <th>{visible(truth)}</th>
              {labels.map((answer) => {
                const records = at(truth, answer);
                const kind = records === 0 ? ' faint' : truth === answer ? '' : ' loud';
                return (
                  <td key={answer} class={`number-cell${kind}`}>
                    {compact(records)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Corrections({ pulse }: { pulse: number }) {
  const [taken, setTaken] = useState(0);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const { data, error } = useResource<CorrectionPage>('/corrections', pulse + taken);
  const change = (method: 'DELETE' | 'POST', path: string): void => {
    setFailure(null);
    sendJson(method, path, { by: 'dashboard' }).then(
      () => setTaken((n) => n + 1),
      (reason: unknown) => setFailure(reason instanceof ApiError ? reason : new ApiError(String(reason), '', 0)),
    );
  };
  return (
    <>
      <Failure error={failure ?? error} />
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th>Corrected by people</th>
              <th>Service</th>
              <th>Severity</th>
              <th>Category</th>
              <th>Who, when and why</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {(data?.items ?? []).map((item) => (
              <tr key={item.id}>
                <td class="template-cell mono">
                  <TemplateText text={item.text} />
                </td>
                <td>{item.service === '' ? <span class="faint">every</span> : visible(item.service)}</td>
                <td>{item.severity}</td>
                <td>{visible(item.category)}</td>
                <td>
                  {visible(item.by)}, <Time ms={item.atMs} />
                  {item.why !== undefined && <span class="faint"> “{visible(item.why)}”</span>}
                </td>
                <td class="row-actions">
                  <button
                    type="button"
                    class="link"
                    title="What held before its last change holds again"
                    onClick={() => change('POST', `/corrections/${item.id}/undo`)}
                  >
                    undo
                  </button>{' '}
                  <button type="button" class="link" onClick={() => change('DELETE', `/corrections/${item.id}`)}>
                    take back
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const historyShown = 50;

/** What people did with corrections, for whoever asks: fetched when it is unfolded. */
function History({ pulse }: { pulse: number }) {
  const [open, setOpen] = useState(false);
  const { data, error, loading } = useResource<CorrectionHistory>(open ? '/corrections/history' : null, pulse);
  return (
    <details class="history" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>History of corrections</summary>
      <Failure error={error} />
      {open && data === null && loading && <Skeleton rows={3} />}
      {data !== null && data.items.length === 0 && <p class="faint">Nothing was ever corrected.</p>}
      <ol class="history-rows">
        {data?.items.slice(0, historyShown).map(({ kind, by, atMs, why, version, correction }) => (
          <li key={`${atMs} ${version} ${correction.id}`}>
            <Time ms={atMs} /> {visible(by)} {kind === 'set' ? 'said' : 'took back'}{' '}
            <b>{[correction.severity, visible(correction.category)].filter((part) => part !== '').join(', ')}</b> of{' '}
            <span class="mono">
              <TemplateText text={correction.text} />
            </span>
            {correction.service !== '' && ` in ${visible(correction.service)}`}
            {why !== '' && <span class="faint"> “{visible(why)}”</span>}
          </li>
        ))}
      </ol>
      {(data?.items.length ?? 0) > historyShown && (
        <p class="faint">Older ones: logweir correct --history, or the table corrections.</p>
      )}
    </details>
  );
}
