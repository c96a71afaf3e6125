/**
 * The body of `_bulk`: lines of action and document in turn. First all actions are read, so that a body that is none is
 * refused before anything of it was taken. Source: elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk.
 */
import { LogweirError, RecordView, recordBytesMax, unknownService } from '#protocol/mod.ts';
import { type Bury, noBury } from '../bury.ts';
import type { Add } from '../intake.ts';
import { isObject, parseJson } from '../mapping/json.ts';
import { recordOfObject } from '../mapping/object.ts';
import { fillView } from '../mapping/record.ts';
import { recordsMax, tooManyRecords } from '../otlp/limits.ts';

export interface Operation {
  action: string;
  index: string;
  /** '' = the sender leaves it to the server. */
  id: string;
  /** Where the document is; both 0 where the action has none. */
  start: number;
  end: number;
}

export interface Item {
  operation: Operation;
  /** '' = taken. */
  reason: string;
  type: string;
}

const newline = 0x0a;
const withDocument = new Set(['index', 'create', 'update']);
/** Index names are bounded at 255 bytes by Elasticsearch, ids at 512. */
const nameCharactersMax = 512;

/** @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
export function operationsOf(body: Buffer, defaultIndex: string): Operation[] {
  const operations: Operation[] = [];
  let line = 0;
  let lastText = '';
  let last = { action: '', index: '', id: '' };
  for (let at = 0; at < body.length; ) {
    const end = lineEnd(body, at);
    line++;
    if (isBlank(body, at, end)) {
      at = end + 1;
      continue;
    }
    if (end - at > 4 * nameCharactersMax) throw malformed(line, 'it is too long for an action');
    const text = body.toString('utf8', at, end);
    // Most actions of a request are the same.
    if (text !== lastText) {
      last = actionOf(text, line, defaultIndex);
      lastText = text;
    }
    at = end + 1;
    const operation = { ...last, start: 0, end: 0 };
    if (withDocument.has(last.action)) {
      if (at >= body.length) throw malformed(line, 'its document is missing');
      line++;
      operation.start = at;
      operation.end = lineEnd(body, at);
      at = operation.end + 1;
    }
    if (operations.length >= recordsMax) throw tooManyRecords();
    operations.push(operation);
  }
  if (operations.length === 0)
    throw new LogweirError('REQUEST_INVALID', 'The body is empty.', 'Send lines of action and document in turn.');
  return operations;
}

function actionOf(text: string, line: number, defaultIndex: string): { action: string; index: string; id: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(line, `it is no JSON: ${(cause as Error).message}`);
  }
  // As in Elasticsearch, what stands behind the action says nothing: winston-elasticsearch counts its attempts there.
  const [entry] = isObject(value) ? Object.entries(value) : [];
  if (entry === undefined || !isObject(entry[1])) throw malformed(line, 'it names no action');
  const [action, about] = entry;
  if (!withDocument.has(action) && action !== 'delete') throw malformed(line, `${action.slice(0, 40)} is no action`);
  const nameIn = (key: string): string => {
    const name = about[key];
    return typeof name === 'string' ? name.slice(0, nameCharactersMax) : '';
  };
  return { action, index: nameIn('_index') || defaultIndex, id: nameIn('_id') };
}

/** Adds the documents; says of each operation what became of it. */
export function takeOperations(
  body: Buffer,
  operations: readonly Operation[],
  add: Add,
  nowMs: number,
  bury: Bury = noBury,
): Item[] {
  const view = new RecordView();
  return operations.map((operation) => {
    const { reason, type } = take(body, operation, view, nowMs);
    const { index, start, end } = operation;
    if (reason === '') add(view);
    else
      bury(reason, body.subarray(start, end), {
        service: serviceOfIndex(index),
        resend: { path: `/${encodeURIComponent(index || 'logs')}/_doc`, contentType: 'application/json' },
      });
    return { operation, reason, type };
  });
}

function take(body: Buffer, operation: Operation, view: RecordView, nowMs: number): { reason: string; type: string } {
  const { action, index, id, start, end } = operation;
  if (action === 'update' || action === 'delete')
    return { type: 'illegal_argument_exception', reason: `logs are only added to: ${action} is not supported` };
  const type = 'document_parsing_exception';
  if (end - start > 4 * recordBytesMax)
    return { type, reason: `the document has ${end - start} bytes, ${recordBytesMax} are allowed` };
  let value: unknown;
  try {
    value = parseJson(body.toString('utf8', start, end));
  } catch (error) {
    return { type, reason: `the document is no JSON: ${(error as Error).message}` };
  }
  const record = recordOfObject(value, nowMs);
  if ('reject' in record) return { type, reason: record.reject };
  record.service ??= serviceOfIndex(index);
  const attributes = (record.attributes ??= []);
  if (index !== '') attributes.push('elasticsearch.index', index);
  if (id !== '') attributes.push('elasticsearch.id', id);
  return { type, reason: fillView(record, nowMs, view) };
}

/** `filebeat-8.17.0-2026.06.01-000001` → `filebeat`: better than nothing, where a document names no service. */
export function serviceOfIndex(index: string): string {
  const name = index
    .replace(/^\.ds-/, '')
    .replace(/-\d{6}$/, '')
    .replace(/[-_.]\d{4}[.-]\d{2}(?:[.-]\d{2})?$/, '')
    .replace(/-\d+\.\d+\.\d+$/, '');
  return name === '' ? unknownService : name;
}

function lineEnd(body: Buffer, at: number): number {
  const found = body.indexOf(newline, at);
  return found < 0 ? body.length : found;
}

function isBlank(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((body[at] as number) > 0x20) return false;
  return true;
}

function malformed(line: number, what: string): LogweirError {
  return new LogweirError(
    'REQUEST_INVALID',
    `Malformed action line ${line}: ${what}.`,
    'Nothing of the request was taken. Send lines of action and document in turn.',
  );
}
