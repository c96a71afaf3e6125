/**
 * What the writer knows of RESULTS, and what it may commit. Pure: by rule R3 (see #bus/chain.ts) each message is
 * taken, dropped as known, or refused as a gap; what is committed lets a restart read the same messages again and
 * come to the same block.
 */
import { admit, type Mark, startMark } from '#bus/mod.ts';
import { joinParts, type ResultsMessage, type Section } from '#protocol/mod.ts';

/** The writer's record in KV. JSON: people may look at it. */
export interface WriterRecord {
  /** Who writes; another writer that takes over changes it and, by compare-and-set, stops this one. */
  owner: string;
  /** Creation time of the RESULTS stream that the positions belong to, ms. */
  resultsCreatedMs: number;
  /** RESULTS sequence up to which every message is in all tables, or was known, or is read again when its parts go on. */
  position: number;
  /** Mark by partition. Readers of RESULTS before this may be purged up to `position`. */
  marks: Record<string, Mark>;
  /**
   * The record was not there although RESULTS had been read before: a partition without a mark believes the first
   * message it sees, as only what was stored is ever purged.
   */
  recovered: boolean;
  /** The block that may or may not be inserted; null: none. */
  inDoubt: BlockInDoubt | null;
  /**
   * Rows above the marks may be stored, and RESULTS can no longer tell which (it lost them, or was made anew): until
   * the marks have passed them, every start reads back what ClickHouse has.
   */
  readBack: boolean;
}

/** RESULTS (position, to], how it is cut, and its token. */
export interface BlockInDoubt {
  to: number;
  token: string;
  /** The limit that the cuts were made by: another version or configuration must cut this block the same. */
  partitionsMax: number;
  /** Its parts are inserted under tokens of their own, or are more than ClickHouse remembers: read back, do not repeat. */
  apart: boolean;
}

export type Taken = { verdict: 'take'; sections: Section[] } | { verdict: 'duplicate' | 'gap' | 'part' };

export class WriterState {
  /** RESULTS sequence of the message seen last. */
  sequence: number;
  private readonly marks = new Map<number, Mark>();
  /** Parts of sections that are not whole yet, and where the first of them stands in RESULTS. */
  private readonly parts = new Map<number, { first: number; pieces: Uint8Array[] }>();
  private readonly recovered: boolean;
  private readonly firstGeneration: number;

  /** `firstGeneration`: what names an earlier one was published by a worker of a cluster that was wiped. */
  constructor(record: Pick<WriterRecord, 'position' | 'marks' | 'recovered'>, firstGeneration = 1) {
    this.firstGeneration = firstGeneration;
    this.sequence = record.position;
    this.recovered = record.recovered;
    for (const [partition, mark] of Object.entries(record.marks))
      this.marks.set(Number(partition), { ...mark, parts: 0 });
  }

  /** Takes the next message of RESULTS. A resent or doubly published message is a duplicate; a gap heals by resending. */
  take(sequence: number, message: ResultsMessage): Taken {
    this.sequence = sequence;
    const { partition } = message;
    if (message.generation < this.firstGeneration) return { verdict: 'duplicate' };
    const mark = this.marks.get(partition) ?? this.firstMark(message);
    const admission = admit(mark, message, message.part);
    if (admission.verdict === 'duplicate' || admission.verdict === 'gap') return { verdict: admission.verdict };
    this.marks.set(partition, admission.mark);
    if (admission.verdict === 'take') {
      this.parts.delete(partition);
      const sections = message.sections.filter(
        (section) => section.sequence > admission.above && section.sequence <= message.to,
      );
      return { verdict: 'take', sections };
    }
    const part = message.part as NonNullable<ResultsMessage['part']>;
    const open =
      part.index === 0
        ? { first: sequence, pieces: [] }
        : (this.parts.get(partition) ?? { first: sequence, pieces: [] });
    open.pieces.push(part.bytes);
    if (!part.last) {
      this.parts.set(partition, open);
      return { verdict: 'part' };
    }
    this.parts.delete(partition);
    return { verdict: 'take', sections: [joinParts(open.pieces)] };
  }

  private firstMark(message: ResultsMessage): Mark {
    if (!this.recovered || (message.part !== null && message.part.index > 0)) return startMark;
    return { generation: message.generation, sequence: message.from, parts: 0 };
  }

  /** Forgets sections that are not whole, to be taken from their first part on when that comes again. Partitions that had one. */
  letPartsGo(): number[] {
    const partitions = [...this.parts.keys()];
    for (const partition of partitions) {
      const mark = this.marks.get(partition);
      if (mark !== undefined) this.marks.set(partition, { ...mark, parts: 0 });
    }
    this.parts.clear();
    return partitions;
  }

  /** What may be committed once everything taken so far is in all tables. Unfinished parts are to be read again. */
  commitPoint(): { position: number; marks: Record<string, Mark> } {
    let position = this.sequence;
    for (const { first } of this.parts.values()) position = Math.min(position, first - 1);
    const marks: Record<string, Mark> = {};
    for (const [partition, mark] of [...this.marks].sort(([a], [b]) => a - b)) marks[partition] = { ...mark, parts: 0 };
    return { position, marks };
  }
}

/** Stands for the rows of a block: `digest` names the sections in it, and how it is cut. */
export function blockToken(resultsCreatedMs: number, position: number, to: number, digest: string): string {
  return `logweir-${resultsCreatedMs}-${position}-${to}-${digest}`;
}

/** Rows of one block go into several tables, and into one table in several inserts: each has a token of its own. */
export function insertToken(block: string, index: number): string {
  return `${block}-${index}`;
}
