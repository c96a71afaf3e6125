/** Versions of the model and the training job: what serves, what came of the last runs, and the two things to do about it. */
import type { ModelStatus, ModelSummary, TrainingRunItem } from '#api/types.ts';
import { useState } from 'preact/hooks';
import { ApiError, sendJson } from '../data/fetch.ts';
import { ago, percent, utc, visible } from '../format.ts';
import { Failure } from '../parts/bits.tsx';

export function Training({ data, onChange }: { data: ModelStatus; onChange: () => void }) {
  const [failure, setFailure] = useState<ApiError | null>(null);
  const send = (path: string, body: object): void => {
    sendJson('POST', path, body).then(
      () => {
        setFailure(null);
        onChange();
      },
      (reason: unknown) => setFailure(reason instanceof ApiError ? reason : new ApiError(String(reason), '', 0)),
    );
  };
  const { asked, running, runs } = data.training;
  const [last] = runs;
  return (
    <>
      <Failure error={failure} />
      <p class="faint">
        {running ? 'A model is being trained. ' : asked ? 'A training is asked for. ' : ''}
        {last !== undefined && last.endedMs !== null && `${runText(last)}. `}
        {!running && !asked && (
          <button type="button" class="link" onClick={() => send('/model/train', {})}>
            train a model now
          </button>
        )}
      </p>
      {data.versions.length > 0 && <Versions data={data} onServe={(version) => send('/model/rollback', { version })} />}
    </>
  );
}

const reasons: Readonly<Record<TrainingRunItem['trigger'], string>> = {
  asked: 'asked for',
  schedule: 'by schedule',
  drift: 'as services drifted',
};

function runText({ trigger, by, startedMs, outcome, version, detail }: TrainingRunItem): string {
  const when = `Last trained ${ago(startedMs, Date.now())}, ${reasons[trigger]}${trigger === 'asked' ? ` by ${visible(by)}` : ''}`;
  switch (outcome) {
    case 'published':
      return `${when}: published as model ${version} (${visible(detail)})`;
    case 'not_better':
      return `${when}: not better, so not published (${visible(detail)})`;
    default:
      return `${when}: ${visible(detail).replace(/\.$/, '')}`;
  }
}

function Versions({ data, onServe }: { data: ModelStatus; onServe: (version: number) => void }) {
  const serve = (version: number) =>
    version === data.serving ? (
      <span class="faint">serves</span>
    ) : (
      <button type="button" class="link" onClick={() => onServe(version)}>
        let it serve
      </button>
    );
  return (
    <div class="table-wrap">
      <table>
        <thead>
          <tr>
            <th>Model</th>
            <th>Published</th>
            <th>By</th>
            <th class="number-cell">Severity</th>
            <th class="number-cell">Macro-F1</th>
            <th class="number-cell">Category</th>
            <th class="number-cell">Before it</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {data.versions.map((one) => (
            <Version key={one.version} one={one} action={serve(one.version)} />
          ))}
          <tr>
            <td>0</td>
            <td colSpan={6} class="faint">
              built in
            </td>
            <td>{serve(0)}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

function Version({ one, action }: { one: ModelSummary; action: preact.JSX.Element }) {
  return (
    <tr title={one.hash}>
      <td>{one.version}</td>
      <td title={utc(one.atMs)}>{ago(one.atMs, Date.now())}</td>
      <td>{visible(one.by)}</td>
      <td class="number-cell">{percent(one.accuracy)}</td>
      <td class="number-cell">{one.macroF1.toFixed(2)}</td>
      <td class="number-cell">{one.category === null ? '' : percent(one.category.accuracy)}</td>
      <td class="number-cell">{percent(one.before.accuracy)}</td>
      <td>{action}</td>
    </tr>
  );
}
