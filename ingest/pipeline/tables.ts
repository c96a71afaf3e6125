/** Static tables for `enrich`: CSV, JSON or YAML files, read once when the pipeline is made. */
import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { type Table, wrong } from '#analysis/pipeline/mod.ts';

const tableBytesMax = 32 * 1024 * 1024;
const rowsMax = 200_000;
const columnsMax = 64;

/** `directory`: where relative names start. @throws LogweirError CONFIG_INVALID */
export function readTable(file: string, path: string, directory: string): Table {
  const full = resolve(directory, file);
  const kind = extname(full).toLowerCase();
  if (!['.csv', '.json', '.yaml', '.yml'].includes(kind))
    throw wrong(path, `names ${file}`, 'A table is a .csv, .json or .yaml file.');
  let text: string;
  try {
    const { size } = statSync(full);
    if (size > tableBytesMax)
      throw wrong(path, `names ${file}, which has ${size} bytes`, `A table may have ${tableBytesMax}.`);
    text = readFileSync(full, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'CONFIG_INVALID') throw error;
    const reason = code === 'ENOENT' ? 'which does not exist' : `which cannot be read (${code})`;
    throw wrong(
      path,
      `names ${full}, ${reason}`,
      'Name a table that is there; relative names start at the configuration file.',
    );
  }
  const table = kind === '.csv' ? csvTable(text, file, path) : objectsTable(parsed(text, kind, file, path), file, path);
  if (table.rows.length > rowsMax)
    throw wrong(path, `names ${file}, which has ${table.rows.length} rows`, `A table may have ${rowsMax}.`);
  if (table.columns.length < 2 || table.columns.length > columnsMax)
    throw wrong(
      path,
      `names ${file}, which has ${table.columns.length} columns`,
      `A table has 2 to ${columnsMax}: a key, and what is added.`,
    );
  return table;
}

/** RFC 4180; the first row names the columns. */
function csvTable(text: string, file: string, path: string): Table {
  const rows: string[][] = [];
  let row: string[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    let value: string;
    if (text[at] === '"') {
      let end = text.indexOf('"', at + 1);
      while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
      if (end < 0)
        throw wrong(
          path,
          `names ${file}, where a quote of line ${line} does not end`,
          'Close it, or double it within a value.',
        );
      value = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      let end = at;
      while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '\r') end++;
      value = text.slice(at, end).trim();
      at = end;
    }
    row.push(value);
    line += value.split('\n').length - 1;
    if (text[at] === ',') {
      at++;
      if (at === text.length) row.push('');
      continue;
    }
    if (at < text.length && text[at] !== '\n' && text[at] !== '\r')
      throw wrong(path, `names ${file}, where line ${line} goes on behind a quote`, 'Put the whole value into quotes.');
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
    line++;
  }
  if (row.length > 0) rows.push(row);
  const [columns = [], ...rest] = rows;
  return { columns, rows: rest };
}

function parsed(text: string, kind: string, file: string, path: string): unknown {
  try {
    return kind === '.json' ? JSON.parse(text) : parseYaml(text);
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw wrong(path, `names ${file}, which is no ${kind === '.json' ? 'JSON' : 'YAML'}: ${reason}`, 'Correct it.');
  }
}

/** A list of objects; or an object by key, its values objects or texts. */
function objectsTable(value: unknown, file: string, path: string): Table {
  const remedy =
    'Write a list of objects, or an object whose keys are looked up and whose values are objects or texts.';
  if (typeof value !== 'object' || value === null) throw wrong(path, `names ${file}, which holds no table`, remedy);
  const objects = Array.isArray(value)
    ? value
    : Object.entries(value).map(([key, one]: [string, unknown]) =>
        typeof one === 'object' && one !== null && !Array.isArray(one) ? { key, ...one } : { key, value: one },
      );
  const columns: string[] = [];
  for (const one of objects) {
    if (typeof one !== 'object' || one === null || Array.isArray(one))
      throw wrong(path, `names ${file}, where an entry is no object`, remedy);
    for (const name of Object.keys(one))
      if (!columns.includes(name) && columns.length <= columnsMax) columns.push(name);
  }
  const rows = objects.map((one: Record<string, unknown>) => columns.map((name) => cell(one[name])));
  return { columns, rows };
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}
