/** Numbers, times and bytes in words. Pure, but for the zone and language of the reader. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function count(value: number): string {
  return whole.format(value);
}

/** 1,204 stays; 1,204,332 becomes 1.2M. */
export function compact(value: number): string {
  return Math.abs(value) < 10_000 ? figure(value) : short.format(value);
}

/** Up to three digits that matter: 0.21, 4.1, 41.2, 3,410. */
export function figure(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return new Intl.NumberFormat('en', { maximumFractionDigits: digits }).format(value);
}

export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1 %';
  return `${new Intl.NumberFormat('en', { maximumFractionDigits: share < 0.1 ? 1 : 0 }).format(share * 100)} %`;
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let size = value;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : figure(size)} ${units[unit]}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${figure(Math.round(seconds * 10) / 10)} s`;
  if (seconds < 3600) return `${figure(Math.round(seconds / 6) / 10)} min`;
  if (seconds < 172_800) return `${figure(Math.round(seconds / 360) / 10)} h`;
  return `${figure(Math.round(seconds / 8640) / 10)} days`;
}

/** How long something has lasted, as people say it: 40 s, 4 min, 2.5 h, 3 days. */
export function lasting(ms: number): string {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return duration(ms);
}

const pad = (value: number, length = 2): string => String(value).padStart(length, '0');

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** 14:07:31, in the reader's zone; with the day unless it is `nowMs`'s. */
export function clock(ms: number, nowMs: number): string {
  const date = new Date(ms);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return dayOf(date) === dayOf(new Date(nowMs)) ? time : `${dayOf(date)} ${time}`;
}

/** 14:07:31.250, for logs. */
export function clockMs(ms: number, nowMs: number): string {
  return `${clock(ms, nowMs)}.${pad(new Date(ms).getMilliseconds(), 3)}`;
}

/** 2025-03-01 14:07, for ranges. */
export function minute(ms: number): string {
  const date = new Date(ms);
  return `${dayOf(date)} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

const dayMs = 86_400_000;

/** 14:07 along an axis; the day where a new one begins or the ticks are days apart. */
export function axisTime(ms: number, stepMs: number): string {
  const date = new Date(ms);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (stepMs > 27 * dayMs) return dayOf(date).slice(0, 7);
  if (stepMs >= dayMs || (midnight && stepMs >= 60_000)) return dayOf(date);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return stepMs < 60_000 ? `${time}:${pad(date.getSeconds())}` : time;
}

/** UTC, for hovering: what to paste beside other people's logs. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

export function ago(ms: number, nowMs: number): string {
  const passed = nowMs - ms;
  return passed < 1500 ? 'just now' : `${lasting(passed)} ago`;
}

/** A detector's name in words: error_spike → error spike. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/** What a finding is about, where that is a name; ids of templates are for machines, the sentence has the text. */
export function subjectName({ subject }: { subject: string }): string {
  return /^[\da-f]{16}( \d+)?$/.test(subject) ? '' : subject;
}

/** Descriptions begin with the service, which often stands beside them already. */
export function withoutService({ description, service }: { description: string; service: string }): string {
  return description.startsWith(`${service}: `) ? description.slice(service.length + 2) : description;
}

/** Control characters and direction overrides as signs that can be seen: a log must not repaint the page or hide text. */
export function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (char) => {
      const code = char.charCodeAt(0);
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      if (code === 0x7f) return '\u2421';
      return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
    },
  );
}

/** Text cut at each occurrence of `part` (any case): odd pieces are the matches. */
export function pieces(text: string, part: string): string[] {
  if (part === '') return [text];
  const escaped = part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return text.split(new RegExp(`(${escaped})`, 'gi'));
}

const severities: readonly string[] = ['UNKNOWN', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

export function severityName(number: number): string {
  return number < 1 || number > 24 ? 'UNKNOWN' : (severities[Math.floor((number + 3) / 4)] as string);
}

/** How loud a score is: three steps are told apart at a glance. */
export function scoreClass(score: number): 'high' | 'middle' | 'low' {
  return score >= 75 ? 'high' : score >= 50 ? 'middle' : 'low';
}
