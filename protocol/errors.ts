/**
 * The one error catalogue. A code is stable and documented in docs/errors.md (a test holds both equal);
 * the message names the place, `remedy` says what to do next, `retry` whether the same call may succeed later.
 */
export const errorCodes = {
  CONFIG_INVALID: { retry: false, about: 'The configuration has a wrong key or value.' },
  PORT_TAKEN: { retry: false, about: 'A port that was asked for by name is used by another program.' },
  DATA_DIR_IN_USE: { retry: false, about: 'Another Logweir process uses this data directory, or the file in it.' },
  DATA_DIR_UNUSABLE: { retry: false, about: 'The data directory cannot be created or written.' },
  SERVER_MISSING: { retry: false, about: 'nats-server or redis-server is not installed and could not be.' },
  SERVER_START_FAILED: { retry: false, about: 'A server or role that Logweir started ended or did not answer.' },
  CLUSTER_NOT_FOUND: { retry: false, about: 'No running cluster was found where this command looked.' },
  CLUSTER_MISMATCH: {
    retry: false,
    about: 'Stored cluster facts (partitions, stream settings) differ from what was asked.',
  },
  NATS_UNAVAILABLE: { retry: true, about: 'NATS does not answer or refuses to take messages.' },
  STREAM_FULL: { retry: true, about: 'A stream has no room; readers must catch up first.' },
  SHARE_EXCEEDED: { retry: true, about: 'The gateway is nearly full, and a sender holds more of it than others.' },
  QUOTA_EXCEEDED: { retry: true, about: 'A sender or service sends more in a second than its quota.' },
  STREAM_CHANGED: { retry: true, about: 'The LOGS stream lost its tail or was made anew; a new generation is due.' },
  STREAM_CONFIG_IGNORED: { retry: false, about: 'The NATS server did not keep a setting that Logweir relies on.' },
  CLICKHOUSE_UNAVAILABLE: { retry: true, about: 'ClickHouse does not answer.' },
  QUERY_FAILED: { retry: false, about: 'ClickHouse refused or failed a query.' },
  MODEL_MISSING: { retry: true, about: 'A model that serves is not in the object store, or is damaged there.' },
  LIMIT_REACHED: { retry: false, about: 'As much is kept of something as Logweir keeps.' },
  INPUT_UNREADABLE: { retry: false, about: 'A file or directory cannot be read.' },
  INPUT_EMPTY: { retry: false, about: 'There was nothing to read.' },
  REQUEST_INVALID: { retry: false, about: 'A header or parameter of a request is not what it may be.' },
  BODY_TOO_LARGE: { retry: false, about: 'A request body is over the limit.' },
  ENCODING_UNSUPPORTED: { retry: false, about: 'The Content-Encoding or Content-Type is not supported.' },
  RECORD_REJECTED: { retry: false, about: 'A record could not be taken; the others beside it were.' },
  MESSAGE_MALFORMED: { retry: false, about: 'A stream message failed validation and was set aside.' },
  USAGE: { retry: false, about: 'A command was called with wrong options.' },
  TIMEOUT: { retry: true, about: 'Something did not finish in the time allowed.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error a person can act on: one clear sentence, and the remedy. */
export class LogweirError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LogweirError';
    this.code = code;
    this.remedy = remedy;
  }

  get retry(): boolean {
    return errorCodes[this.code].retry;
  }
}
