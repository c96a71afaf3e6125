/** Name, places to go, range, live state, light or dark. */
import { useEffect, useRef } from 'preact/hooks';
import type { SetView } from '../state/use-view.ts';
import { follows, formatView, type Tab, tabs, type View } from '../state/view.ts';
import { RangePicker } from './range-picker.tsx';
import { ThemeButton } from './theme-button.tsx';

const tabNames: Readonly<Record<Tab, string>> = {
  overview: 'Overview',
  logs: 'Logs',
  templates: 'Templates',
  incidents: 'Incidents',
  alerts: 'Alerts',
  cluster: 'Cluster',
};

interface Props {
  view: View;
  setView: SetView;
  connected: boolean;
  firing: number;
}

export function Header({ view, setView, connected, firing }: Props) {
  const go = (event: MouseEvent, tab: Tab): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    setView({ tab, anomaly: '', incident: '', text: '', open: '', template: '', trace: '' });
  };
  const current = useRef<HTMLAnchorElement>(null);
  // On a phone the last of them lie beyond the edge.
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [view.tab]);
  return (
    <header class="top">
      <a class="brand" href="/" aria-label="Logweir, overview" onClick={(event) => go(event, 'overview')}>
        <svg viewBox="0 0 28 22" width="28" height="22" aria-hidden="true">
          <path class="brand-water" d="M1 5h10c3.4 0 3 10 6.4 10H27" />
          <path class="brand-wall" d="M11.5 20.5v-11M1 20.5h26" />
        </svg>
        <span>Logweir</span>
      </a>
      <nav class="tabs" aria-label="Views">
        {tabs.map((tab) => (
          <a
            key={tab}
            ref={view.tab === tab ? current : null}
            href={formatView({ ...view, tab, anomaly: '', incident: '', text: '', open: '', template: '', trace: '' })}
            aria-current={view.tab === tab ? 'page' : undefined}
            onClick={(event) => go(event, tab)}
          >
            {tabNames[tab]}
            {tab === 'alerts' && firing > 0 && (
              <span class="badge" aria-label={`${firing} firing`}>
                {firing}
              </span>
            )}
          </a>
        ))}
      </nav>
      <div class="top-right">
        <LiveState connected={connected} following={follows(view)} />
        <RangePicker view={view} setView={setView} />
        <ThemeButton />
      </div>
    </header>
  );
}

function LiveState({ connected, following }: { connected: boolean; following: boolean }) {
  const state = !connected ? 'lost' : following ? 'live' : 'still';
  const text = { lost: 'Reconnecting', live: 'Live', still: 'Fixed range' }[state];
  return (
    <span class={`live-state is-${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}
