/** What a source's lines are read with, and what is counted of them. */
import type { ContainerOrigin } from './container-path.ts';

export interface LineParserOptions {
  /** Service of every record, whatever the lines say. */
  service?: string | undefined;
  /** File name the lines come from: names the service where they do not. */
  sourceName?: string | undefined;
  /** Container that the lines are of, where it is known: names the service where lines do not, and their resource. */
  container?: ContainerOrigin | undefined;
  /** ms since 1970 when the lines were seen (for a file at rest, better its modification time): stamps without a year
   * lie at most a day after it. */
  observedMs: number;
  /** Zone of stamps that name none: 'UTC' (default) or minutes east of it. */
  timeZone?: 'UTC' | number | undefined;
  /** Told of every line that is counted as rejected: its number in the source, from 1, and why. */
  onReject?: ((line: number, reason: string) => void) | undefined;
  /** Records carry the lines as they came, too. */
  keepRaw?: boolean | undefined;
  /** Which lines belong together, told instead of found. */
  folding?: LineFolding | undefined;
}

/** Tells which lines continue the record before them, for sources whose records no built-in rule puts together. */
export interface LineFolding {
  continues(line: string): boolean;
  /** Lines of one record; a further one begins the next. */
  linesMax: number;
  /** Characters of one record. */
  charactersMax: number;
}

export interface LineCounts {
  lines: number;
  records: number;
  /** Lines that became part of the record before them. */
  folded: number;
  /** Empty lines outside of any stack trace. */
  blank: number;
  /** Records that no format fits, kept whole; they are counted in `records` too. */
  unparsed: number;
  rejected: number;
  /** Records by format; `plain` are the unparsed. */
  byFormat: Record<string, number>;
}
