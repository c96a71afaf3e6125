/**
 * Gathers sections of one partition into RESULTS messages that cover (from, to] without a hole (R3). Pure: the
 * caller says when to cut. Empty sections ride along, so that ticks cost no messages of their own.
 */
import {
  batchBytes,
  isEmptySection,
  messageBytesMax,
  packSection,
  type ResultsMessage,
  type Section,
  splitSection,
} from '#protocol/mod.ts';

/** Rough bytes of a section: of what is attached exactly, of the rest before compression. */
function weigh(section: Section): number {
  const { windows, templates, anomalies, enrichment } = section;
  const found = windows.length * 1_200 + templates.length * 300 + anomalies.length * 1_500;
  return 64 + found + batchBytes(section) + (enrichment?.predictedSeverityNumber.length ?? 0) * 12;
}

/** A section heavier than this may not fit one message even compressed; it is measured exactly and split if need be. */
const heavyBytes = messageBytesMax - 64 * 1024;

export class Gather {
  private readonly partition: number;
  private readonly generation: number;
  private sections: Section[] = [];
  private from: number;
  private covered: number;
  private coveredMs = 0;
  private anomaliesTo = 0;
  /** Rough bytes waiting. */
  bytes = 0;
  /** True once a waiting section says more than "this sequence was read". */
  worthSending = false;

  constructor(partition: number, generation: number, from: number) {
    this.partition = partition;
    this.generation = generation;
    this.from = from;
    this.covered = from;
  }

  /**
   * Takes the next section, of a message that LOGS stored at `timeMs`; `anomaliesTo`: position of ANOMALIES after it.
   * Returns messages that had to be cut at once because the section is too large to wait.
   */
  add(section: Section, timeMs: number, anomaliesTo: number): ResultsMessage[] {
    const weight = weigh(section);
    if (weight > heavyBytes && packSection(section).length > heavyBytes) {
      const before = this.cut();
      this.cover(section.sequence, timeMs, anomaliesTo);
      const parts = splitSection(this.header(), section);
      this.from = section.sequence;
      return before === null ? parts : [before, ...parts];
    }
    const overfull = this.bytes + weight > heavyBytes && this.sections.length > 0 ? this.cut() : null;
    this.cover(section.sequence, timeMs, anomaliesTo);
    if (!isEmptySection(section)) {
      this.sections.push(section);
      this.worthSending = true;
    }
    this.bytes += weight;
    return overfull === null ? [] : [overfull];
  }

  /** Everything that waits as one message, or null when nothing does. */
  cut(): ResultsMessage | null {
    if (this.covered === this.from) return null;
    const message = { ...this.header(), sections: this.sections, part: null };
    this.sections = [];
    this.from = this.covered;
    this.bytes = 0;
    this.worthSending = false;
    return message;
  }

  private cover(sequence: number, timeMs: number, anomaliesTo: number): void {
    this.covered = sequence;
    this.coveredMs = timeMs;
    this.anomaliesTo = anomaliesTo;
  }

  private header(): Omit<ResultsMessage, 'sections' | 'part'> {
    const { partition, generation, from, covered: to, coveredMs: toMs, anomaliesTo } = this;
    return { partition, generation, from, to, toMs, anomaliesTo };
  }
}
