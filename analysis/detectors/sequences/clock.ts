/** Event time of raw lines. It never runs backwards, and a single stamp far ahead does not move it. */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';

/** Stamps without a year are read as of now; only differences matter. */
const observedMs = Date.UTC(2030, 0, 1);
/** Lines further ahead than this are believed when the next one is as well. */
const jumpMs = 3_600_000;

interface ClockState {
  nowMs: number;
  isTimed: boolean;
  aheadMs: number;
  dated: string;
}

export class SequenceClock {
  /** Newest event time; the number of lines while none had a time. */
  nowMs = 0;
  isTimed = false;
  /** A time far ahead that waits for a second one, or -1. */
  private aheadMs = -1;
  private readonly parser = new LineParser({ observedMs });
  /** The line taken last, if it was a record in JSON. */
  json: ParsedRecord | undefined;
  /** The last line, which a stamp without a date takes its day from. */
  private dated = '';

  /** Takes a line; returns its time in ms. */
  take(line: string): number {
    this.dated = line;
    const records: ParsedRecord[] = [];
    const keep = (record: ParsedRecord): void => {
      records.push(record);
    };
    this.parser.push(line, keep);
    this.parser.flush(keep);
    const [record] = records;
    this.json = record?.format === 'json' ? record : undefined;
    const timeMs = record?.timeMs;
    if (timeMs === undefined || !Number.isFinite(timeMs)) return this.isTimed ? this.nowMs : ++this.nowMs;
    if (!this.isTimed) {
      this.isTimed = true;
      this.nowMs = timeMs;
    } else if (timeMs > this.nowMs + jumpMs && (this.aheadMs < 0 || timeMs < this.nowMs + jumpMs)) {
      this.aheadMs = timeMs;
      return this.nowMs;
    } else if (timeMs > this.nowMs) {
      this.nowMs = this.aheadMs < 0 ? timeMs : Math.min(timeMs, Math.max(this.aheadMs, this.nowMs));
    }
    this.aheadMs = -1;
    return timeMs;
  }

  snapshot(): unknown {
    const { nowMs, isTimed, aheadMs, dated } = this;
    return { nowMs, isTimed, aheadMs, dated } satisfies ClockState;
  }

  static restore(state: unknown): SequenceClock {
    const { nowMs, isTimed, aheadMs, dated } = state as ClockState;
    const clock = new SequenceClock();
    if (dated !== '') clock.take(dated);
    clock.nowMs = nowMs;
    clock.isTimed = isTimed;
    clock.aheadMs = aheadMs;
    return clock;
  }
}
