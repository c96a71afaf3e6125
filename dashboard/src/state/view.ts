/** What the page shows, as its URL says it: every link is shareable, and back and forward work. Pure. */
export const tabs = ['overview', 'logs', 'templates', 'incidents', 'alerts', 'cluster'] as const;
export type Tab = (typeof tabs)[number];

export interface View {
  tab: Tab;
  /** As the API takes them: `now-1h`, `now`, or ms since 1970 as text. */
  from: string;
  to: string;
  service: string;
  detector: string;
  /** Lowest score shown, 0 = all. */
  score: number;
  /** Words to find: in anomalies, logs or templates, depending on the tab. */
  text: string;
  /** Only findings that go on. */
  open: '' | 'true';
  /** Id of the anomaly whose evidence is open. */
  anomaly: string;
  /** Id of the incident that is unfolded. */
  incident: string;
  /** Lowest severity number of the logs, 0 = all. */
  severity: number;
  template: string;
  trace: string;
  sort: 'count' | 'newest' | 'rarest';
}

export const defaultView: View = {
  tab: 'overview',
  from: 'now-1h',
  to: 'now',
  service: '',
  detector: '',
  score: 0,
  text: '',
  open: '',
  anomaly: '',
  incident: '',
  severity: 0,
  template: '',
  trace: '',
  sort: 'count',
};

const timePattern = /^(?:now(?:-\d{1,6}[smhdw])?|\d{1,13})$/;

function oneOf<T extends string>(values: readonly T[], value: string | null, fallback: T): T {
  return values.find((candidate) => candidate === value) ?? fallback;
}

/** Of an anomaly or incident. */
function idOf(value: string | null): string {
  return value !== null && /^[\w-]{1,64}$/.test(value) ? value : '';
}

function whole(value: string | null, max: number): number {
  return value !== null && /^\d{1,3}$/.test(value) && Number(value) <= max ? Number(value) : 0;
}

/** What does not make sense in a URL is left out rather than shown as an error: links get cut and retyped. */
export function parseView(search: string): View {
  const given = new URLSearchParams(search);
  const time = (name: 'from' | 'to'): string => {
    const value = given.get(name);
    return value !== null && timePattern.test(value) ? value : defaultView[name];
  };
  return {
    tab: oneOf(tabs, given.get('tab'), 'overview'),
    from: time('from'),
    to: time('to'),
    service: given.get('service') ?? '',
    detector: given.get('detector') ?? '',
    score: whole(given.get('score'), 100),
    text: given.get('text') ?? '',
    open: given.get('open') === 'true' ? 'true' : '',
    anomaly: idOf(given.get('anomaly')),
    incident: idOf(given.get('incident')),
    severity: whole(given.get('severity'), 24),
    template: given.get('template') ?? '',
    trace: given.get('trace') ?? '',
    sort: oneOf(['count', 'newest', 'rarest'] as const, given.get('sort'), 'count'),
  };
}

/** The shortest URL that means the view: what is as usual is left out. */
export function formatView(view: View): string {
  const given = new URLSearchParams();
  for (const key of Object.keys(defaultView) as (keyof View)[]) {
    if (view[key] !== defaultView[key]) given.set(key, String(view[key]));
  }
  const text = given.toString();
  return text === '' ? '/' : `/?${text}`;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A time of the view in ms since 1970. */
export function resolveTime(text: string, nowMs: number): number {
  if (!text.startsWith('now')) return Number(text);
  const ago = /^now-(\d+)([smhdw])$/.exec(text);
  return ago === null ? nowMs : nowMs - Number(ago[1]) * (unitsMs[ago[2] as string] as number);
}

/** A view that follows the clock. */
export function follows(view: Pick<View, 'to'>): boolean {
  return view.to === 'now';
}

/** Query string for the API from what is set; '' , 0 and undefined are left out. */
export function queryOf(params: Record<string, string | number | undefined>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '' && value !== 0) given.set(name, String(value));
  }
  const text = given.toString();
  return text === '' ? '' : `?${text}`;
}
