/** What the finding rests on: influencers, sample lines, and when it passed each station. */
import type { AnomalyEvidence, LatencyReceipt } from '#api/types.ts';
import { count, duration, percent, utc, visible, words } from '../format.ts';
import { Time } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { TemplateText } from '../views/template-text.tsx';

export function Evidence({ anomaly, setView }: { anomaly: AnomalyEvidence; setView: SetView }) {
  return (
    <>
      {anomaly.influencers.length > 0 && (
        <section>
          <h3>What contributed</h3>
          <ul class="influencers">
            {anomaly.influencers.map(({ kind, name, share }) => (
              <li key={`${kind}/${name}`}>
                <span class="influencer-share">{percent(share)}</span>
                <span class="influencer-bar" aria-hidden="true">
                  <span style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
                </span>
                <span class="mono">
                  <TemplateText text={name} />
                </span>
                <span class="faint">{words(kind)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {anomaly.samples.length > 0 && (
        <section>
          <h3>Samples</h3>
          {anomaly.samples.map((sample, index) => (
            <pre key={index} class="sample">
              {visible(sample)}
            </pre>
          ))}
        </section>
      )}
      {anomaly.traceIds.length + anomaly.hosts.length > 0 && (
        <section>
          <h3>Whose records</h3>
          <ul class="sources">
            {anomaly.traceIds.map((id) => (
              <li key={id}>
                trace{' '}
                <button
                  type="button"
                  class="link mono"
                  onClick={() => setView({ tab: 'logs', trace: id, service: '', anomaly: '' })}
                >
                  {visible(id)}
                </button>
              </li>
            ))}
            {anomaly.hosts.map((host) => (
              <li key={host}>
                host <span class="mono">{visible(host)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Receipt receipt={anomaly.receipt} />
      <p class="faint">
        Decided at watermark <Time ms={anomaly.watermarkMs} />
        {anomaly.lateCount > 0 && `, ${count(anomaly.lateCount)} late records counted in`}.
      </p>
    </>
  );
}

const stations: readonly [keyof LatencyReceipt, string][] = [
  ['eventMs', 'event'],
  ['gatewayMs', 'gateway'],
  ['processingMs', 'processing'],
  ['detectedMs', 'detected'],
];

/** Each station with the time since the one before it; stations that were not recorded are left out. */
function Receipt({ receipt }: { receipt: LatencyReceipt }) {
  const passed = stations.filter(([key]) => receipt[key] > 0);
  if (passed.length < 2) return null;
  return (
    <section>
      <h3>On its way</h3>
      <ol class="receipt">
        {passed.map(([key, name], index) => {
          const before = passed[index - 1];
          const ms = receipt[key];
          return (
            <li key={key} title={utc(ms)}>
              <span>{name}</span>
              <b>
                {before === undefined ? <Time ms={ms} exact /> : `+${duration(Math.max(0, ms - receipt[before[0]]))}`}
              </b>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
