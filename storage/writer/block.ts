/**
 * A block: what one step of the writer puts into all tables. Pure. The same sections in the same order give the same
 * cuts and the same digest.
 *
 * The digest names every section that is in the block (generation, partition, sequence, how much of each kind) and how
 * the block is cut. By R2 a section's position determines its rows, so two blocks of one digest are the same rows: a
 * token made from it is never used again for others, which ClickHouse would drop in silence.
 */
import { createHash } from 'node:crypto';
import {
  type Anomaly,
  isEmptySection,
  type RecordBatch,
  type Section,
  type TemplateRow,
  uint16At,
  validateBatch,
  type WindowRow,
} from '#protocol/mod.ts';
import { database } from '../schema.ts';
import { forEachDayRun, LogBlock, type RowPosition } from './logs.ts';
import {
  anomalyFields,
  type DeadLetterRow,
  deadLetterFields,
  encodeRows,
  type LedgerRow,
  ledgerFields,
  templateFields,
  type Versioned,
  windowFields,
} from './rows.ts';

export interface BlockLimits {
  /** Rows of one insert, default 300_000: the block size that the path was fastest with. */
  rowsMax: number;
  /** Bytes of one insert, default 128 MiB. */
  bytesMax: number;
  /** ClickHouse partitions that one insert may touch, default 50; over 100 ClickHouse refuses it for ever. */
  partitionsMax: number;
  /**
   * A block over more days is read back after a restart, not repeated, default 2_500: its parts come near the number
   * of tokens that a table remembers (10,000), and the first of them may be forgotten when the last is in.
   */
  daysByTokenMax: number;
}

export const blockLimitsDefault: Readonly<BlockLimits> = {
  rowsMax: 300_000,
  bytesMax: 128 * 1024 ** 2,
  partitionsMax: 50,
  daysByTokenMax: 2_500,
};

/** Sizes a block's first buffers: most blocks of a quiet cluster are small, and those of a busy one grow in a few steps. */
const rowsExpected = 8_192;

/** Inserts into `otel_logs` that one block may come to: 50 days each, some years of a backfill. */
const insertsMax = 40;

/** One insert. */
export interface TableInsert {
  table: string;
  structure: string;
  chunks: Uint8Array[];
  rows: number;
}

/** A section, and the partition that it is of. */
export interface PlacedSection {
  generation: number;
  partition: number;
  section: Section;
}

/** Says of the rows of a section's day whether `otel_logs` has them. They are in one insert, so it has all or none. */
export type IsStored = (generation: number, partition: number, sequence: number, day: number) => boolean;

export class BlockBuilder {
  /** Rows of `otel_logs` that the block stands for, those that are stored already included. */
  logRows = 0;
  /** Whatever gave a row to any table, in order. */
  readonly sections: PlacedSection[] = [];
  private readonly limits: BlockLimits;
  private readonly isStored: IsStored | null;
  private readonly hash = createHash('sha256');
  /** Inserts into `otel_logs`, in the order they were opened. */
  private readonly logs: LogBlock[] = [];
  /** The last of them, while it has room for another day. */
  private open: LogBlock | null = null;
  /** By day. */
  private readonly blocks = new Map<number, LogBlock>();
  private readonly windows: Versioned<WindowRow>[] = [];
  private readonly templates: Versioned<TemplateRow>[] = [];
  private readonly anomalies: Versioned<{ anomaly: Anomaly; gatewayMs: number }>[] = [];
  private readonly ledger = new Map<string, LedgerRow>();
  private readonly deadLetters: DeadLetterRow[] = [];

  /** @param isStored rows that are to be left out, as an earlier try stored them; null: none. */
  constructor(limits: BlockLimits = blockLimitsDefault, isStored: IsStored | null = null) {
    this.limits = limits;
    this.isStored = isStored;
    this.hash.update(`cut ${limits.partitionsMax};`);
  }

  /** Near enough what it takes in memory: of the small tables the rows are objects still. */
  get bytes(): number {
    let bytes = 0;
    for (const block of this.logs) bytes += block.bytes;
    return bytes + this.windows.length * 2_000 + this.templates.length * 500 + this.anomalies.length * 2_500;
  }

  /** ClickHouse partitions of `otel_logs` that the block touches. */
  get days(): number {
    return this.blocks.size;
  }

  /** Stands for the rows of the block and its cuts, 16 hex digits. */
  digest(): string {
    return this.hash.copy().digest('hex').slice(0, 16);
  }

  /** True where no table would get a row. */
  get empty(): boolean {
    return this.ledger.size === 0 && this.windows.length + this.templates.length + this.anomalies.length === 0;
  }

  /** True once it should be inserted: sections are whole, so it may be a little over. */
  get full(): boolean {
    return this.logs.length > insertsMax || this.logRows >= this.limits.rowsMax || this.bytes >= this.limits.bytesMax;
  }

  /** Takes a section of a partition. Nothing of it is taken where its batch is not sound: it becomes a dead letter. */
  add(header: { generation: number; partition: number }, section: Section): void {
    const position = { generation: header.generation, partition: header.partition, sequence: section.sequence };
    const reason = section.deadLetter ?? unsound(section);
    const batch = reason === null ? section.batch : null;
    this.sign(position, section, batch?.rows ?? 0, reason !== null);
    if (batch !== null) this.addRows(batch, section, position);
    if (reason !== null) this.deadLetters.push({ ...position, reason });
    if (batch !== null || reason !== null || section.duplicates > 0)
      this.count(position, batch?.rows ?? 0, section.duplicates, reason !== null);
    const { generation, partition } = position;
    for (const row of section.windows) this.windows.push({ row, generation, partition, version: row.version });
    for (const row of section.templates) this.templates.push({ row, generation, partition, version: row.version });
    const gatewayMs = section.batch?.receivedMs ?? 0;
    for (const anomaly of section.anomalies) {
      this.anomalies.push({ row: { anomaly, gatewayMs }, generation, partition, version: anomaly.version });
    }
  }

  private sign(position: RowPosition, section: Section, rows: number, dead: boolean): void {
    if (isEmptySection(section)) return;
    const { generation, partition, sequence } = position;
    const { duplicates, windows, templates, anomalies } = section;
    const sizes = [rows, duplicates, dead ? 1 : 0, windows.length, templates.length, anomalies.length];
    this.hash.update(`${generation} ${partition} ${sequence} ${sizes.join(' ')};`);
    this.sections.push({ generation, partition, section });
  }

  private addRows(batch: RecordBatch, section: Section, position: RowPosition): void {
    let start = 0;
    let target: LogBlock | null = null;
    const { isStored } = this;
    const { generation, partition, sequence } = position;
    const flush = (end: number): void => {
      if (end > start) target?.append(batch, section.enrichment, position, start, end);
      start = end;
    };
    forEachDayRun(batch.time, batch.rows, (day, runStart) => {
      const left = isStored?.(generation, partition, sequence, day) === true;
      if (left) this.hash.update(`not ${day};`);
      const next = left ? null : this.blockOf(day);
      if (next === target) return;
      flush(runStart);
      target = next;
    });
    flush(batch.rows);
    this.logRows += batch.rows;
  }

  /**
   * The insert that takes a day's rows. Each day is in one insert of the block only: sources that lie years apart and
   * come mixed would otherwise cost a part per day again and again.
   */
  private blockOf(day: number): LogBlock {
    const known = this.blocks.get(day);
    if (known !== undefined) return known;
    if (this.open === null || this.open.days.size >= this.limits.partitionsMax) {
      this.open = new LogBlock(rowsExpected);
      this.logs.push(this.open);
    }
    this.open.days.add(day);
    this.blocks.set(day, this.open);
    return this.open;
  }

  /** A section that ClickHouse does not take becomes a dead letter; `rowsLost` of its rows are not in `otel_logs`. */
  setAside({ generation, partition, section }: PlacedSection, reason: string, rowsLost: number): void {
    this.deadLetters.push({ generation, partition, sequence: section.sequence, reason });
    this.count({ generation, partition, sequence: section.sequence }, -rowsLost, 0, true);
  }

  private count(
    { generation, partition, sequence }: RowPosition,
    rows: number,
    duplicates: number,
    dead: boolean,
  ): void {
    const key = `${partition}:${generation}`;
    const entry = this.ledger.get(key) ?? {
      generation,
      partition,
      fromSequence: sequence,
      toSequence: 0,
      rows: 0,
      duplicates: 0,
      deadLetters: 0,
    };
    entry.toSequence = Math.max(entry.toSequence, sequence);
    entry.rows += rows;
    entry.duplicates += duplicates;
    entry.deadLetters += dead ? 1 : 0;
    this.ledger.set(key, entry);
  }

  /** Every insert of the block, in an order that never changes. */
  finish(): TableInsert[] {
    return [...this.tables(), ...this.books()];
  }

  /** The inserts that carry what was found. */
  tables(): TableInsert[] {
    const { inserts, add } = insertList();
    for (const block of this.logs) add('otel_logs', block.rows, block.finish());
    for (const rows of this.windowsByMonths()) add('windows_versions', rows.length, encodeRows(windowFields, rows));
    if (this.templates.length > 0)
      add('templates_versions', this.templates.length, encodeRows(templateFields, this.templates));
    if (this.anomalies.length > 0)
      add('anomalies_versions', this.anomalies.length, encodeRows(anomalyFields, this.anomalies));
    return inserts;
  }

  /** The inserts that say what was stored. */
  books(): TableInsert[] {
    const { inserts, add } = insertList();
    if (this.deadLetters.length > 0)
      add('dead_letters', this.deadLetters.length, encodeRows(deadLetterFields, this.deadLetters));
    // Last: where the ledger has a block, all the other tables have it.
    if (this.ledger.size > 0) add('ledger', this.ledger.size, encodeRows(ledgerFields, [...this.ledger.values()]));
    return inserts;
  }

  /** Windows are partitioned by month; a file of twenty years has more months than one insert may touch. */
  private *windowsByMonths(): Generator<Versioned<WindowRow>[]> {
    let start = 0;
    const months = new Set<string>();
    for (const [index, { row }] of this.windows.entries()) {
      const month = new Date(row.startMs).toISOString().slice(0, 7);
      if (!months.has(month) && months.size >= this.limits.partitionsMax) {
        yield this.windows.slice(start, index);
        start = index;
        months.clear();
      }
      months.add(month);
    }
    if (this.windows.length > start) yield this.windows.slice(start);
  }
}

function insertList(): {
  inserts: TableInsert[];
  add: (table: string, rows: number, block: { structure: string; chunks: Uint8Array[] }) => void;
} {
  const inserts: TableInsert[] = [];
  return {
    inserts,
    add: (table, rows, block) => inserts.push({ table: `${database}.${table}`, rows, ...block }),
  };
}

/** Why a section's rows cannot be stored, or null. A column cut short would make the whole block fail for ever. */
function unsound(section: Section): string | null {
  const { batch, enrichment } = section;
  if (batch === null) return null;
  try {
    validateBatch(batch);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (enrichment === null) return null;
  const { rows } = batch;
  for (const name of ['templateId', 'category', 'predictedSeverityText'] as const) {
    const { values, index } = enrichment[name];
    if (index.length !== rows * 2) return `Column ${name} has ${index.length} bytes of indices for ${rows} rows.`;
    for (let row = 0; row < rows; row++)
      if (uint16At(index, row) >= values.length) return `Column ${name} points outside its dictionary.`;
  }
  if (enrichment.predictedSeverityNumber.length !== rows || enrichment.confidence.length !== rows * 4) {
    return 'A column that analysis added has another number of rows.';
  }
  return null;
}
