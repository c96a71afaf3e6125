/** The usual ranges up to now, or two points in time. */
import { useState } from 'preact/hooks';
import { minute } from '../format.ts';
import type { SetView } from '../state/use-view.ts';
import { resolveTime, type View } from '../state/view.ts';

const presets: readonly [string, string, string][] = [
  ['now-15m', '15m', 'Last 15 minutes'],
  ['now-1h', '1h', 'Last hour'],
  ['now-6h', '6h', 'Last 6 hours'],
  ['now-24h', '24h', 'Last 24 hours'],
  ['now-7d', '7d', 'Last 7 days'],
];

/** A value for datetime-local, in the reader's zone. */
const localValue = (ms: number): string => minute(ms).replace(' ', 'T');

export function RangePicker({ view, setView }: { view: View; setView: SetView }) {
  const [open, setOpen] = useState(false);
  const preset = view.to === 'now' ? presets.find(([from]) => from === view.from) : undefined;
  const nowMs = Date.now();
  const fromMs = resolveTime(view.from, nowMs);
  const toMs = resolveTime(view.to, nowMs);
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const fields = (event.currentTarget as HTMLFormElement).elements;
    const timeOf = (name: string): number => Date.parse((fields.namedItem(name) as HTMLInputElement).value);
    const from = timeOf('from');
    const to = timeOf('to');
    if (Number.isNaN(from) || Number.isNaN(to) || from >= to) return;
    setView({ from: String(from), to: String(to) });
    setOpen(false);
  };
  return (
    <div class="range">
      <fieldset class="segments">
        <legend class="hidden">Time range</legend>
        {presets.map(([from, short, long]) => (
          <button
            key={from}
            type="button"
            aria-pressed={preset?.[0] === from}
            title={long}
            onClick={() => setView({ from, to: 'now' })}
          >
            {short}
          </button>
        ))}
        <button type="button" aria-pressed={preset === undefined} aria-expanded={open} onClick={() => setOpen(!open)}>
          {preset === undefined ? `${minute(fromMs)} – ${view.to === 'now' ? 'now' : minute(toMs)}` : 'Custom'}
        </button>
      </fieldset>
      {open && (
        <form class="popover" onSubmit={onSubmit} onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}>
          <label>
            From
            <input type="datetime-local" name="from" required defaultValue={localValue(fromMs)} />
          </label>
          <label>
            To
            <input type="datetime-local" name="to" required defaultValue={localValue(toMs)} />
          </label>
          <button type="submit" class="button">
            Show
          </button>
        </form>
      )}
    </div>
  );
}
