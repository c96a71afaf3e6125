/** Which format a line is in: the strict ones by what it begins with, the last that fitted first, then those that fit much. */
import { audit, kernelRing, levelled } from './bare.ts';
import { bars, eventColumns, eventLog, glog, logcat } from './columns.ts';
import type { Draft, Format, SourceContext } from './draft.ts';
import { json } from './json.ts';
import { logfmt } from './logfmt.ts';
import { char, isDigit, isLetter } from './scan.ts';
import { stamped } from './stamped.ts';
import { syslog3164, syslog5424, syslogIso } from './syslog.ts';
import { access, apacheError, nginxError } from './web.ts';

/**
 * Formats of a shape of their own by what a line begins with, in the order they are tried; the one that fit last goes
 * first.
 */
const strictAtDigit: readonly Format[] = [
  access,
  syslog5424,
  syslogIso,
  nginxError,
  logcat,
  eventLog,
  bars,
  eventColumns,
];
const strictAtLetter: readonly Format[] = [access, syslog3164, glog, logcat, eventLog, audit];
const strictAtBracket: readonly Format[] = [apacheError, kernelRing, access];
const strictAtLess: readonly Format[] = [syslog5424, syslog3164];
const strictElsewhere: readonly Format[] = [json, access, eventLog];
const strictAtSpace: readonly Format[] = [json];

function strictFor(code: number): readonly Format[] {
  if (isDigit(code)) return strictAtDigit;
  if (isLetter(code)) return strictAtLetter;
  switch (code) {
    case char.bracketOpen:
      return strictAtBracket;
    case char.less:
      return strictAtLess;
    case char.space:
    case char.tab:
      return strictAtSpace;
    default:
      return strictElsewhere;
  }
}

/** Formats that fit much: only for what no strict one took, the more telling first. */
const lenient: readonly Format[] = [stamped, levelled, logfmt];

export class FormatChoice {
  private last: Format | undefined;

  /** Whether some format fits; the draft holds what it says. */
  fits(text: string, draft: Draft, context: SourceContext): boolean {
    if (this.last?.(text, draft, context)) return true;
    for (const format of strictFor(text.charCodeAt(0))) {
      if (format === this.last || !format(text, draft, context)) continue;
      this.last = format;
      return true;
    }
    for (const format of lenient) if (format(text, draft, context)) return true;
    return false;
  }
}
