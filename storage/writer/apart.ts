/**
 * A block that ClickHouse does not take as a whole: it is halved until the sections that it never takes stand alone.
 * Those become dead letters with ClickHouse's reason; everything beside them is stored. What an earlier try left
 * behind is read back before each insert, as tokens differ from one cut to another.
 */
import { sleep, type Time } from '#bus/mod.ts';
import { database } from '../schema.ts';
import { BlockBuilder, type BlockLimits, type IsStored, type PlacedSection } from './block.ts';
import { type Inserter, Refused } from './insert.ts';
import type { StoredRows } from './read-back.ts';

export interface ApartOptions {
  stored: StoredRows;
  inserter: Inserter;
  limits: BlockLimits;
  time: Time;
  /** Begins every token. */
  token: string;
  /** Pause before sections are tried again beside which nothing went in, ms. */
  retryMs: number;
}

export interface SetAside {
  placed: PlacedSection;
  refused: Refused;
  reason: string;
  /** Rows that `otel_logs` does not have. */
  rowsLost: number;
}

const logTable = `${database}.otel_logs`;

/** A few words are enough to act on; ClickHouse's own may quote a row. */
const reasonCharactersMax = 500;

/** @throws Abandoned | LogweirError CLUSTER_MISMATCH */
export async function storeApart(options: ApartOptions, sections: readonly PlacedSection[]): Promise<SetAside[]> {
  const { inserter, time, retryMs } = options;
  const before = new Map(inserter.inserted);
  const setAside: SetAside[] = [];
  let alone = await store(options, sections, options.limits.partitionsMax);
  while (alone.length > 0) {
    const unsure: PlacedSection[] = [];
    for (const placed of alone) {
      const found = await storeOne(options, placed);
      if (found === null) continue;
      const { fault, table } = found.refused;
      const othersWentIn = (inserter.inserted.get(table) ?? 0) > (before.get(table) ?? 0);
      if (fault !== 'unknown' || othersWentIn) setAside.push(found);
      // A number that we do not know, and nothing goes in: the fault may well not be in the rows.
      else unsure.push(placed);
    }
    alone = unsure;
    if (alone.length > 0) await sleep(time, retryMs);
  }
  return setAside;
}

/** Stores what goes in; returns the sections that do not even alone. */
async function store(
  options: ApartOptions,
  sections: readonly PlacedSection[],
  partitionsMax: number,
): Promise<PlacedSection[]> {
  const { inserter, token } = options;
  const builder = await build(options, sections, partitionsMax);
  try {
    await inserter.insertAll(builder.tables(), `${token}-${builder.digest()}`);
    return [];
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.fault === 'split' && partitionsMax > 1)
      return await store(options, sections, Math.ceil(partitionsMax / 2));
    if (sections.length < 2) return [...sections];
    const middle = sections.length >> 1;
    return [
      ...(await store(options, sections.slice(0, middle), partitionsMax)),
      ...(await store(options, sections.slice(middle), partitionsMax)),
    ];
  }
}

async function build(
  { stored: rows, inserter, limits }: ApartOptions,
  sections: readonly PlacedSection[],
  partitionsMax: number,
): Promise<BlockBuilder> {
  const stored = await inserter.ask('Reading back what is stored', () => rows.of(sections));
  return builderOf(sections, { ...limits, partitionsMax }, stored.has);
}

function builderOf(sections: readonly PlacedSection[], limits: BlockLimits, isStored: IsStored): BlockBuilder {
  const builder = new BlockBuilder(limits, isStored);
  for (const placed of sections) builder.add(placed, placed.section);
  return builder;
}

/** Stores of a section what goes in, table by table. Null where in the end all of it is stored. */
async function storeOne(options: ApartOptions, placed: PlacedSection): Promise<SetAside | null> {
  const { inserter, token } = options;
  const builder = await build(options, [placed], options.limits.partitionsMax);
  const refusals: Refused[] = [];
  for (const [index, insert] of builder.tables().entries()) {
    try {
      await inserter.insert(insert, `${token}-${builder.digest()}-${index}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusals.push(error);
    }
  }
  const stored = await inserter.ask('Reading back what is stored', () => options.stored.of([placed]));
  const rowsLost = builder.logRows - stored.rowCount;
  // A view that somebody hung on the table may refuse what the table itself has taken: then nothing is lost.
  const refused = refusals.find(({ table }) => rowsLost > 0 || table !== logTable);
  if (refused === undefined) return null;
  return { placed, refused, reason: `${refused.table}: ${refused.message}`.slice(0, reasonCharactersMax), rowsLost };
}
