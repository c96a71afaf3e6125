/** `--from` and `--to`: ISO 8601, epoch in s or ms, or how long ago, such as `24h`. */
import { LogweirError } from '#protocol/errors.ts';
import type { CommandContext, OptionSpec } from './command.ts';

export const rangeOptions: Readonly<Record<string, OptionSpec>> = {
  from: { type: 'string', value: 'TIME', about: 'start, such as 2026-01-31T12:00Z or 24h (ago), default the oldest' },
  to: { type: 'string', value: 'TIME', about: 'end, not included, default the newest' },
};

const unitMs: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

/** A length of time such as `90s`, `30m`, `24h`, `7d`, in ms; undefined for text that is none. */
export function parseSpan(text: string): number | undefined {
  const span = /^(\d+)([smhdw])$/.exec(text);
  return span === null ? undefined : Number(span[1]) * (unitMs[span[2] ?? ''] ?? 0);
}

/** ms since 1970; undefined for text that is no time. A date without a zone is UTC. */
export function parseTime(text: string, nowMs: number): number | undefined {
  const agoMs = parseSpan(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) < 1e11 ? Number(text) * 1000 : Number(text);
  const iso = text.replace(' ', 'T');
  const time = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes('T') ? iso : `${iso}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** @throws LogweirError USAGE */
export function rangeOf(
  ctx: Pick<CommandContext, 'args'>,
  nowMs: number,
): { fromMs: number | undefined; toMs: number | undefined } {
  const read = (name: 'from' | 'to'): number | undefined => {
    const text = ctx.args.string(name);
    if (text === undefined) return undefined;
    const time = parseTime(text, nowMs);
    if (time !== undefined) return Math.floor(time);
    throw new LogweirError('USAGE', `--${name} ${text} is no time.`, 'Write 2026-01-31T12:00Z, or 24h for a day ago.');
  };
  const range = { fromMs: read('from'), toMs: read('to') };
  if (range.fromMs !== undefined && range.toMs !== undefined && range.fromMs >= range.toMs) {
    throw new LogweirError('USAGE', '--from must be before --to.', 'Exchange them, or leave one out.');
  }
  return range;
}
