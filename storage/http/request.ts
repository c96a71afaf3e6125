/** A request on ClickHouse's HTTP interface, read: pure, from its parts. */
import { clickHouseError, type ClickHouseError, exceptionCodes } from '../engine/error.ts';
import { forbiddenInReading, inspect, isReading, type Statement } from '../sql/statement.ts';

export interface HttpRequest {
  method: string;
  search: URLSearchParams;
  headers: Readonly<Record<string, string | undefined>>;
  /** Decompressed. */
  body: Uint8Array;
}

export interface HttpQuery {
  statement: Statement;
  /** The whole text, of which an INSERT's data is a part. */
  text: string;
  /** Data of an INSERT: what follows the statement in the text, and the body where the statement came as `query`. */
  data: Uint8Array[];
  format: string;
  database: string | undefined;
  settings: Record<string, string>;
  paramTexts: Record<string, string>;
  waitEndOfQuery: boolean;
}

/** As ClickHouse words it, so that clients find code and type in it. */
export function exception(code: number, type: string, message: string): ClickHouseError {
  return clickHouseError(`Code: ${code}. DB::Exception: ${message} (${type})`);
}

/** Refused in clear words; the engine's read-only mode stops whatever else would write. */
const writingVerbs = new Set(
  [
    'INSERT CREATE DROP ALTER TRUNCATE RENAME EXCHANGE OPTIMIZE ATTACH DETACH UNDROP DELETE UPDATE SYSTEM',
    'KILL GRANT REVOKE BACKUP RESTORE MOVE EXECUTE',
  ].flatMap((line) => line.split(' ')),
);

const decoder = new TextDecoder();

/** @throws ClickHouseError where the request cannot be served as it is. */
export function readRequest(request: HttpRequest, options: { writable: boolean }): HttpQuery {
  const { search, headers, body } = request;
  if (search.get('compress') === '1' || search.get('decompress') === '1') {
    throw exception(
      exceptionCodes.unsupportedMethod,
      'UNSUPPORTED_METHOD',
      'compress=1 is not supported here; use enable_http_compression=1 with Accept-Encoding: gzip',
    );
  }
  const settings: Record<string, string> = {};
  const paramTexts: Record<string, string> = {};
  for (const [name, value] of search) {
    if (!name.startsWith('param_')) settings[name] = value;
    else if (/^\w{1,128}$/.test(name.slice(6))) paramTexts[name.slice(6)] = value;
    else throw exception(exceptionCodes.badArguments, 'BAD_ARGUMENTS', `'${name}' is no name of a parameter`);
  }
  const inUrl = search.get('query') ?? '';
  const text = inUrl === '' ? decoder.decode(body) : inUrl;
  const inspected = inspect(
    inUrl !== '' && body.length > 0 && !/^\s*insert\b/i.test(inUrl) ? `${inUrl}\n${decoder.decode(body)}` : text,
  );
  if (!inspected.ok) throw exception(exceptionCodes.syntaxError, 'SYNTAX_ERROR', inspected.reason);
  const { statement } = inspected;
  const reading = isReading(statement);
  if (!options.writable || reading) {
    const means = reading ? forbiddenInReading(statement.sql) : null;
    if (means !== null) throw exception(exceptionCodes.readonly, 'READONLY', `Cannot use ${means} in readonly mode`);
    if (!options.writable && writingVerbs.has(statement.verb)) {
      throw exception(
        exceptionCodes.readonly,
        'READONLY',
        `Cannot execute ${statement.verb} in readonly mode; this server answers questions only`,
      );
    }
  }
  return {
    statement,
    text,
    data:
      statement.insert === null ? [] : insertData(text, statement.insert.dataStart, inUrl === '' ? null : body, body),
    format: statement.format ?? search.get('default_format') ?? headers['x-clickhouse-format'] ?? 'TabSeparated',
    database: search.get('database') ?? headers['x-clickhouse-database'],
    settings: { ...settings, ...statement.settings },
    paramTexts,
    waitEndOfQuery: search.get('wait_end_of_query') === '1',
  };
}

/** Bytes behind the statement. Where all came in the body they are cut from it, as data need not be text. */
function insertData(text: string, dataStart: number, separate: Uint8Array | null, body: Uint8Array): Uint8Array[] {
  const encoder = new TextEncoder();
  if (separate === null) return [body.subarray(encoder.encode(text.slice(0, dataStart)).length)];
  return [encoder.encode(text.slice(dataStart)), separate];
}
