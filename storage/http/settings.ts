/** Which settings a request may bring, and the limits that it cannot raise. */
import type { Settings } from '../engine/port.ts';

export interface Limits {
  /** Seconds a query may run that does not ask for more, default 60. */
  executionSeconds: number;
  /** Seconds a query may ask for (max_execution_time; an export does), default 3_600. */
  executionSecondsMax: number;
  /** Bytes of memory a query may take, default 4 GiB. */
  memoryBytesMax: number;
  /** Rows of a result, default 0: no limit. */
  resultRowsMax: number;
  /** Bytes of a result that cannot be streamed, default 512 MiB. */
  resultBytesMax: number;
}

export const limitsDefault: Readonly<Limits> = {
  executionSeconds: 60,
  executionSecondsMax: 3_600,
  memoryBytesMax: 4 * 1024 ** 3,
  resultRowsMax: 0,
  resultBytesMax: 512 * 1024 ** 2,
};

/** Words of the HTTP interface itself. Those we have no use for are taken politely. */
const interfaceWords = new Set(
  [
    'query database default_format user password query_id quota_key role stacktrace buffer_size session_id',
    'session_timeout session_check close_session compress decompress wait_end_of_query',
    'enable_http_compression http_zlib_compression_level send_progress_in_http_headers',
    'http_headers_progress_interval_ms http_write_exception_in_output_format add_http_cors_header',
    'client_protocol_version readonly http_make_head_request cancel_http_readonly_queries_on_client_close',
    'log_comment log_queries replace_running_query priority',
  ].flatMap((line) => line.split(' ')),
);

/** Those that read files, change the language (and with it what our checks understand), or lift what protects others. */
const refused =
  /^(allow_ddl|allow_introspection_functions|dialect|.*_dialect|polyglot.*|format_template.*|format_schema.*|.*_path|.*_path_.*|.*_directory|user_files.*|remote_.*|max_concurrent_queries.*|implicit_select|implicit_table_at_top_level)$/;

const limited = ['max_execution_time', 'max_memory_usage', 'max_result_rows', 'max_result_bytes'] as const;

/** Settings for the engine, or the name of one that is refused. */
export function admitSettings(
  given: Readonly<Record<string, string>>,
  limits: Limits,
  whole: boolean,
): { settings: Settings } | { refused: string } {
  const settings: Settings = {};
  for (const [name, value] of Object.entries(given)) {
    if (interfaceWords.has(name)) continue;
    if (!/^\w{1,128}$/.test(name) || refused.test(name)) return { refused: name };
    settings[name] = value;
  }
  settings['max_execution_time'] ??= limits.executionSeconds;
  const ceilings = {
    max_execution_time: limits.executionSecondsMax,
    max_memory_usage: limits.memoryBytesMax,
    max_result_rows: limits.resultRowsMax,
    max_result_bytes: whole ? limits.resultBytesMax : 0,
  };
  for (const name of limited) {
    const wanted = Number(settings[name] ?? 0);
    const ceiling = ceilings[name];
    // 0 is "no limit" on both sides.
    const value = ceiling === 0 ? wanted : wanted > 0 ? Math.min(wanted, ceiling) : ceiling;
    if (value > 0) settings[name] = value;
    else delete settings[name];
  }
  return { settings };
}
