import { type ErrorCode, LogweirError } from '#protocol/errors.ts';

/** A failure that ClickHouse reported, or that kept it from answering. `exceptionCode` is ClickHouse's own, 0 = none. */
export class ClickHouseError extends LogweirError {
  readonly exceptionCode: number;

  constructor(code: ErrorCode, message: string, remedy: string, exceptionCode: number, options?: { cause?: unknown }) {
    super(code, message, remedy, options);
    this.name = 'ClickHouseError';
    this.exceptionCode = exceptionCode;
  }
}

/** ClickHouse's numbers that Logweir itself speaks or acts on. Source: src/Common/ErrorCodes.cpp. */
export const exceptionCodes = {
  unsupportedMethod: 1,
  badArguments: 36,
  unknownTable: 60,
  syntaxError: 62,
  unknownDatabase: 81,
  unknownSetting: 115,
  timeoutExceeded: 159,
  readonly: 164,
  tooManySimultaneousQueries: 202,
  memoryLimitExceeded: 241,
  tooManyParts: 252,
  tooManyRowsOrBytes: 396,
  authenticationFailed: 516,
} as const;

const remedies: Readonly<Record<number, string>> = {
  [exceptionCodes.syntaxError]: 'Correct the statement; the position is named above.',
  [exceptionCodes.unknownTable]: 'SHOW TABLES FROM logweir lists what there is.',
  [exceptionCodes.timeoutExceeded]: 'Narrow the time range, or raise the time limit.',
  [exceptionCodes.readonly]: 'Only reading is allowed here.',
  [exceptionCodes.memoryLimitExceeded]: 'Narrow the time range or group by fewer values, or raise the memory limit.',
  [exceptionCodes.tooManyRowsOrBytes]: 'Add a LIMIT, or raise the limit of result rows.',
};

/** From ClickHouse's text `Code: 62. DB::Exception: …`; the text itself is kept as the message. */
export function clickHouseError(text: string, cause?: unknown): ClickHouseError {
  const exceptionCode = Number(/Code: (\d+)\./.exec(text)?.[1] ?? 0);
  const timedOut = exceptionCode === exceptionCodes.timeoutExceeded;
  return new ClickHouseError(
    timedOut ? 'TIMEOUT' : 'QUERY_FAILED',
    text.trim(),
    remedies[exceptionCode] ?? 'Correct the statement and send it again.',
    exceptionCode,
    { cause },
  );
}

/** Text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function unavailable(where: string, cause: unknown): ClickHouseError {
  const detail =
    cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  return new ClickHouseError(
    'CLICKHOUSE_UNAVAILABLE',
    `ClickHouse does not answer at ${where}: ${detail}.`,
    'Start it (`logweir up` does), or set CLICKHOUSE_URL to where it listens.',
    0,
    { cause },
  );
}
