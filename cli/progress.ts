/** A progress line on stderr, on a terminal only and only for work that takes longer than a second. */
import process from 'node:process';
import { escaped } from '#protocol/dead-text.ts';
import type { CommandContext } from './command.ts';

const showAfterMs = 1_000;
const everyMs = 100;
const barCells = 24;

export class Progress {
  private readonly label: string;
  private readonly total: number | undefined;
  private readonly unit: string;
  private readonly columns: number;
  private readonly on: boolean;
  private readonly startedMs = Date.now();
  private shownMs = 0;

  /** `total` undefined: unknown, and only the count is shown. */
  constructor(ctx: Pick<CommandContext, 'terminal'>, label: string, total: number | undefined, unit: string) {
    this.label = label;
    this.total = total;
    this.unit = unit;
    this.columns = ctx.terminal.columns;
    this.on = ctx.terminal.stderr;
  }

  update(done: number): void {
    if (!this.on) return;
    const nowMs = Date.now();
    if (nowMs - this.startedMs < showAfterMs || nowMs - this.shownMs < everyMs) return;
    this.shownMs = nowMs;
    const line = progressLine(this.label, done, this.total, this.unit, nowMs - this.startedMs);
    process.stderr.write(`\r${escaped(line).slice(0, this.columns - 1)}\u001b[K`);
  }

  /** Clears the line. */
  end(): void {
    if (this.shownMs > 0) process.stderr.write('\r\u001b[K');
    this.shownMs = 0;
  }
}

/** `reading  [######------]  50 %  1.2 M lines  400 k/s  3 s left` */
export function progressLine(
  label: string,
  done: number,
  total: number | undefined,
  unit: string,
  elapsedMs: number,
): string {
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const parts = [label];
  if (total !== undefined && total > 0) {
    const share = Math.min(1, done / total);
    const filled = Math.round(share * barCells);
    parts.push(`[${'#'.repeat(filled)}${'-'.repeat(barCells - filled)}]`, `${Math.floor(share * 100)} %`);
  }
  parts.push(`${short(done)} ${unit}`, `${short(perSecond)}/s`);
  if (total !== undefined && perSecond > 0 && done < total)
    parts.push(`${Math.ceil((total - done) / perSecond)} s left`);
  return parts.join('  ');
}

/** 1234567 → `1.2 M`. */
export function short(count: number): string {
  for (const [size, letter] of [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(count >= size * 100 ? 0 : 1)}${letter}`;
  }
  return String(Math.round(count));
}
