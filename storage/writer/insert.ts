/** Inserts, tried until they are in or ClickHouse has made clear that it will never take them. */
import { sleep, type Time } from '#bus/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import type { TableInsert } from './block.ts';
import { Complaint, type Sink } from './complaint.ts';
import { dataTriesMax, type Fault, faultOf, unknownTriesMax } from './faults.ts';
import { insertToken } from './state.ts';

export interface InserterOptions {
  clickHouse: ClickHouse;
  time: Time;
  log: Sink;
  /** First and longest pause before a failed insert is tried again, ms. */
  retryMs: { first: number; max: number };
  /** Called before each try: throws where this writer was replaced. */
  confirm: () => Promise<void>;
  /** True where no further try shall be made. */
  ended: () => boolean;
}

/** ClickHouse does not take these rows as they are. */
export class Refused extends Error {
  readonly fault: Exclude<Fault, 'wait' | 'person'>;
  readonly table: string;

  constructor(fault: Refused['fault'], table: string, cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'Refused';
    this.fault = fault;
    this.table = table;
  }
}

/** Tries were given up because the writer ends; what was in doubt stays so. */
export class Abandoned extends Error {}

export class Inserter {
  readonly complaint: Complaint;
  /** Inserts that went in, by table. */
  readonly inserted = new Map<string, number>();
  private readonly options: InserterOptions;

  constructor(options: InserterOptions) {
    this.options = options;
    this.complaint = new Complaint(options.log, options.time.now);
  }

  /** Inserts one after the other under tokens made from one. @throws Refused | Abandoned | LogweirError CLUSTER_MISMATCH */
  async insertAll(inserts: readonly TableInsert[], token: string): Promise<void> {
    for (const [index, insert] of inserts.entries()) await this.insert(insert, insertToken(token, index));
  }

  async insert({ table, structure, chunks }: TableInsert, token: string): Promise<void> {
    await this.untilDone(`Insert into ${table}`, table, () =>
      this.options.clickHouse.insertNative(table, structure, chunks, token),
    );
    this.inserted.set(table, (this.inserted.get(table) ?? 0) + 1);
  }

  /** Anything else that ClickHouse must answer before the writer may go on. @throws Abandoned | LogweirError CLUSTER_MISMATCH */
  async ask<T>(what: string, ask: () => Promise<T>): Promise<T> {
    return await this.untilDone(what, null, ask);
  }

  /** @param table where the fault may lie in the rows; null where it cannot */
  private async untilDone<T>(what: string, table: string | null, act: () => Promise<T>): Promise<T> {
    const { time, retryMs, confirm, ended } = this.options;
    let pauseMs = retryMs.first;
    for (let tries = 1; ; tries++) {
      await confirm();
      try {
        const result = await act();
        // That it answers questions does not mean that it takes rows.
        if (table !== null) this.complaint.over('ClickHouse takes rows again.');
        return result;
      } catch (error) {
        if (ended()) throw new Abandoned(messageOf(error));
        const fault = faultOf(error);
        if (table !== null) {
          if (fault === 'split') throw new Refused(fault, table, error);
          if (fault === 'data' && tries >= dataTriesMax) throw new Refused(fault, table, error);
          if (fault === 'unknown' && tries >= unknownTriesMax) throw new Refused(fault, table, error);
        }
        const advice = fault === 'person' ? 'It needs you: nothing is stored until this is put right. ' : '';
        this.complaint.failed(`${what} failed; rows wait in the stream. ${advice}${messageOf(error)}`);
        await sleep(time, pauseMs);
        if (ended()) throw new Abandoned(messageOf(error));
        pauseMs = Math.min(pauseMs * 2, retryMs.max);
      }
    }
  }
}
