/**
 * The port to ClickHouse. Two adapters stand behind it: `embedded.ts` (the engine in this process) and `http.ts`
 * (a server named by URL). Both take the same Native blocks and deduplication tokens.
 */
export type Settings = Record<string, string | number>;

export interface QueryOptions {
  /** Output format where the statement has no FORMAT clause, default `JSONEachRow`. */
  format?: string | undefined;
  /** Values of `{name:Type}` placeholders; never part of the SQL text. */
  params?: Record<string, unknown> | undefined;
  settings?: Settings | undefined;
  /** Stops waiting. A stream stops for real between chunks; a single query may run on until its time limit. */
  signal?: AbortSignal | undefined;
}

/** Every method throws `ClickHouseError`: QUERY_FAILED, TIMEOUT or CLICKHOUSE_UNAVAILABLE. */
export interface ClickHouse {
  /** Runs one statement that has no result. */
  command(sql: string, settings?: Settings): Promise<void>;
  /** Runs one query and returns its whole result as bytes of the format. */
  query(sql: string, options?: QueryOptions): Promise<Uint8Array>;
  /** Runs one query; bytes of the result as they come, at the reader's pace. */
  stream(sql: string, options?: QueryOptions): AsyncIterable<Uint8Array>;
  /**
   * Inserts one Native block, all or nothing per ClickHouse partition. A repeat of (table, token) adds nothing.
   * @param table name with database, trusted text
   * @param columns structure of the block: `"a UInt8, b String"`, trusted text
   * @param chunks bytes of the block, in order
   */
  insertNative(table: string, columns: string, chunks: readonly Uint8Array[], token: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Settings that make an insert's token count in the table and in every materialised view behind it. One thread:
 * the parts of a block must come out the same at every repeat.
 */
export const insertSettings: Readonly<Settings> = {
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  async_insert: 0,
  max_insert_threads: 1,
  max_threads: 1,
  // The first merge makes them, which is soon: a quarter of an insert's work is saved, and merges make them anyway.
  materialize_skip_indexes_on_insert: 0,
};
