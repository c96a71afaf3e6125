/**
 * What a failed insert means. Pure: by ClickHouse's own number (src/Common/ErrorCodes.cpp) where it gave one.
 *   wait    passes by itself (network, memory, too many parts; no answer of ClickHouse's at all): the same insert is
 *           tried again, for ever
 *   person  nothing that we send could go in (table gone, disk full, rights): tried again, and said so
 *   split   too many ClickHouse partitions in one insert: it is cut smaller
 *   data    ClickHouse will never take these rows: they are told apart from the good ones and set aside
 *   unknown a number that is not listed: tried again `unknownTriesMax` times, then treated as `data`, but only rows
 *           beside which others went in are set aside; where nothing goes in, the fault is not in the rows
 */
import { exceptionCodes } from '../engine/error.ts';

export type Fault = 'wait' | 'person' | 'split' | 'data' | 'unknown';

/** Tries of the same insert before rows are told apart: a wrong answer of a moment must not cost rows. */
export const dataTriesMax = 2;
export const unknownTriesMax = 8;

const wait = {
  CANNOT_WRITE_TO_FILE_DESCRIPTOR: 75,
  TIMEOUT_EXCEEDED: 159,
  TOO_SLOW: 160,
  CANNOT_ALLOCATE_MEMORY: 173,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  SOCKET_TIMEOUT: 209,
  NETWORK_ERROR: 210,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  NO_ZOOKEEPER: 225,
  ABORTED: 236,
  MEMORY_LIMIT_EXCEEDED: 241,
  TABLE_IS_READ_ONLY: 242,
  TOO_MANY_PARTS: 252,
  ALL_CONNECTION_TRIES_FAILED: 279,
  TOO_FEW_LIVE_REPLICAS: 285,
  UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: 286,
  UNKNOWN_STATUS_OF_INSERT: 319,
  QUERY_WAS_CANCELLED: 394,
  SYSTEM_ERROR: 425,
  CANNOT_SCHEDULE_TASK: 439,
  DEADLOCK_AVOIDED: 473,
  KEEPER_EXCEPTION: 999,
};

const person = {
  NO_SUCH_COLUMN_IN_TABLE: 16,
  NUMBER_OF_COLUMNS_DOESNT_MATCH: 20,
  UNKNOWN_FUNCTION: 46,
  UNKNOWN_IDENTIFIER: 47,
  UNKNOWN_TYPE: 50,
  TYPE_MISMATCH: 53,
  UNKNOWN_TABLE: 60,
  SYNTAX_ERROR: 62,
  UNKNOWN_DATABASE: 81,
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  UNKNOWN_USER: 192,
  WRONG_PASSWORD: 193,
  REQUIRED_PASSWORD: 194,
  QUOTA_EXCEEDED: 201,
  TABLE_IS_DROPPED: 218,
  NOT_ENOUGH_SPACE: 243,
  SETTING_CONSTRAINT_VIOLATION: 452,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516,
};

const data = {
  CANNOT_PARSE_TEXT: 6,
  SIZES_OF_COLUMNS_DOESNT_MATCH: 9,
  CANNOT_PARSE_INPUT_ASSERTION_FAILED: 27,
  ATTEMPT_TO_READ_AFTER_EOF: 32,
  CANNOT_READ_ALL_DATA: 33,
  CANNOT_PARSE_DATE: 38,
  CANNOT_PARSE_DATETIME: 41,
  ILLEGAL_COLUMN: 44,
  ARGUMENT_OUT_OF_BOUND: 69,
  CANNOT_CONVERT_TYPE: 70,
  CANNOT_PARSE_NUMBER: 72,
  INCORRECT_DATA: 117,
  TOO_LARGE_ARRAY_SIZE: 128,
  TOO_LARGE_STRING_SIZE: 131,
  ILLEGAL_DIVISION: 153,
  SIZES_OF_ARRAYS_DONT_MATCH: 190,
  VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE: 321,
  CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN: 349,
  FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: 395,
  DECIMAL_OVERFLOW: 407,
  VIOLATED_CONSTRAINT: 469,
};

export const faultCodes = { wait, person, data } as const;

const byCode = new Map<number, Fault>();
for (const [fault, codes] of Object.entries(faultCodes))
  for (const code of Object.values(codes)) byCode.set(code, fault as Fault);

export function faultOf(error: unknown): Fault {
  const { code, exceptionCode, message } = error as { code?: string; exceptionCode?: number; message?: string };
  if (code === 'CLICKHOUSE_UNAVAILABLE' || code === 'TIMEOUT') return 'wait';
  // No number, no answer of ClickHouse's: a socket, a proxy before it, a full disk of our own.
  if (exceptionCode === undefined || exceptionCode === 0) return 'wait';
  // One number for two things: merges are behind, or the insert touches over `max_partitions_per_insert_block`.
  if (exceptionCode === exceptionCodes.tooManyParts && /too many partitions/i.test(message ?? '')) return 'split';
  return byCode.get(exceptionCode) ?? 'unknown';
}
