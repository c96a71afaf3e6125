/** Raw logs. Whatever a body holds is text: it goes into text nodes only, with control characters made visible. */
import type { LogItem } from '#api/types.ts';
import { useState } from 'preact/hooks';
import { percent, pieces, utc, visible } from '../format.ts';
import { Service, Severity, Time } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';

interface Props {
  logs: LogItem[];
  /** Words to mark in the bodies. */
  find?: string;
  setView: SetView;
  /** The service is the same throughout. */
  oneService?: boolean;
}

export function LogRows({ logs, find = '', setView, oneService = false }: Props) {
  return (
    <ol class={`logs${oneService ? ' is-one' : ''}`}>
      {logs.map((log, index) => (
        <LogRow
          key={`${log.partition}.${log.sequence}.${log.timeMs}.${log.subNs}.${index}`}
          log={log}
          find={find}
          setView={setView}
          oneService={oneService}
        />
      ))}
    </ol>
  );
}

function LogRow({
  log,
  find,
  setView,
  oneService,
}: {
  log: LogItem;
  find: string;
  setView: SetView;
  oneService: boolean;
}) {
  const [open, setOpen] = useState(false);
  const guessed = log.severityNumber === 0 && log.predictedSeverityNumber > 0;
  return (
    <li class={open ? 'log is-open' : 'log'}>
      <button type="button" class="log-line" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Time ms={log.timeMs} exact />
        <Severity
          number={guessed ? log.predictedSeverityNumber : log.severityNumber}
          text={log.severityText}
          guessed={guessed}
        />
        {!oneService && <Service name={log.service} />}
        <span class="body">
          <Marked text={visible(log.body)} find={find} />
        </span>
      </button>
      {open && <LogFacts log={log} guessed={guessed} setView={setView} />}
    </li>
  );
}

function Marked({ text, find }: { text: string; find: string }) {
  return <>{pieces(text, find).map((piece, index) => (index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece))}</>;
}

function LogFacts({ log, guessed, setView }: { log: LogItem; guessed: boolean; setView: SetView }) {
  const facts: [string, string][] = [
    ['time', `${utc(log.timeMs)} + ${log.subNs} ns`],
    ['service', log.service],
    ...(guessed
      ? ([['classified as', `${log.predictedSeverityText}, ${percent(log.confidence)} sure`]] as [string, string][])
      : []),
    ...(log.category === '' ? [] : ([['category', log.category]] as [string, string][])),
    ...Object.entries(log.attributes),
    ...Object.entries(log.resource),
    [
      'stream position',
      `partition ${log.partition}, sequence ${log.sequence}${log.lane === 'live' ? '' : `, lane ${log.lane}`}`,
    ],
  ];
  return (
    <div class="log-facts">
      <dl>
        {facts.map(([name, value], index) => (
          <div key={index}>
            <dt>{visible(name)}</dt>
            <dd>{visible(value)}</dd>
          </div>
        ))}
      </dl>
      <p class="actions">
        {log.templateId !== '' && (
          <button
            type="button"
            class="button"
            onClick={() => setView({ tab: 'logs', template: log.templateId, service: log.service, anomaly: '' })}
          >
            Logs of this template
          </button>
        )}
        {log.traceId !== '' && (
          <button
            type="button"
            class="button"
            onClick={() => setView({ tab: 'logs', trace: log.traceId, service: '', anomaly: '' })}
          >
            Logs of this trace
          </button>
        )}
      </p>
    </div>
  );
}
