import { describe, expect, it } from 'vitest';
import { tokenize } from './lexer.ts';
import { columnNames, paramText, quote, quoteIdentifier } from './literal.ts';
import { forbiddenInReading, inspect, isReading, type Statement } from './statement.ts';

const statementOf = (sql: string): Statement => {
  const inspected = inspect(sql);
  if (!inspected.ok) throw new Error(inspected.reason);
  return inspected.statement;
};

describe('tokens', () => {
  it('knows strings, names, comments and brackets', () => {
    const texts = tokenize("SELECT 'a''b\\'c', `d``e`, \"f\" -- x\n, $t$ ; $t$ /* y */ # z\n, {p:Array(String)}")?.map(
      (token) => token.text,
    );
    expect(texts).toEqual([
      'SELECT',
      "'a''b\\'c'",
      ',',
      'd``e',
      ',',
      'f',
      ',',
      '$t$ ; $t$',
      ',',
      '{',
      'p',
      ':',
      'Array',
      '(',
      'String',
      ')',
      '}',
    ]);
    expect(tokenize('f(a, [1])')?.map((token) => token.depth)).toEqual([0, 0, 1, 1, 1, 2, 1, 0]);
  });

  it('says nothing of what it cannot follow', () => {
    for (const sql of ["'open", '`open', '"open', '/* open', '$a$ open', '$', '\u2018a\u2019', '\u201ca\u201d', 'a\0b'])
      expect([sql, tokenize(sql)]).toEqual([sql, null]);
  });
});

describe('statements', () => {
  it('takes FORMAT and SETTINGS off the end, in any order', () => {
    for (const sql of [
      "SELECT 1 AS format FORMAT JSON SETTINGS max_threads = 2, s = 'it''s', b = -1;",
      "SELECT 1 AS format SETTINGS max_threads = 2, s = 'it''s', b = -1 FORMAT JSON -- done",
    ]) {
      expect(statementOf(sql)).toMatchObject({
        sql: 'SELECT 1 AS format',
        verb: 'SELECT',
        format: 'JSON',
        settings: { max_threads: '2', s: "it's", b: '-1' },
      });
    }
    expect(statementOf('SELECT x FROM (SELECT 1 AS x SETTINGS a = 1)')).toMatchObject({ settings: {}, format: null });
    expect(statementOf('SELECT format FROM t')).toMatchObject({ sql: 'SELECT format FROM t', format: null });
    expect(isReading(statementOf('( SELECT 1 )'))).toBe(true);
    expect(isReading(statementOf('DROP TABLE t'))).toBe(false);
  });

  it('refuses several at once, and none', () => {
    expect(inspect('SELECT 1; SELECT 2')).toEqual({ ok: false, reason: 'Multi-statements are not allowed' });
    expect(inspect("SELECT ';' ; -- x")).toMatchObject({ ok: true });
    expect(inspect(' -- x\n ; ')).toEqual({ ok: false, reason: 'Empty query' });
  });

  it('finds where the data of an INSERT begins', () => {
    const values = "INSERT INTO db.`t x` (a, `b`) SETTINGS async_insert = 0 VALUES (1, ';')";
    expect(statementOf(values)).toMatchObject({
      verb: 'INSERT',
      settings: { async_insert: '0' },
      insert: { table: 'db.`t x`', columns: 'a, `b`', format: 'Values' },
    });
    expect(values.slice(statementOf(values).insert?.dataStart)).toBe(" (1, ';')");
    const csv = "INSERT INTO t FORMAT CSV\n1,'open; DROP\n";
    expect(csv.slice(statementOf(csv).insert?.dataStart)).toBe("1,'open; DROP\n");
    expect(statementOf('INSERT INTO TABLE t FORMAT JSONEachRow')).toMatchObject({
      insert: { table: 't', columns: null, format: 'JSONEachRow' },
    });
    expect(statementOf('INSERT INTO t SELECT 1')).toMatchObject({ insert: null });
  });

  it('sees what goes round read-only mode, and only that', () => {
    for (const sql of [
      "SELECT file('x')",
      'SELECT `file` (1)',
      'SELECT * APPLY file',
      "SELECT 1 INTO\nOUTFILE 'x'",
      '`a\\x62`',
    ])
      expect(forbiddenInReading(sql)).not.toBeNull();
    for (const sql of [
      "SELECT 'file' AS file",
      'SELECT profile, files FROM t',
      'SELECT 1 AS `file`',
      'SELECT outfile FROM t',
    ])
      expect(forbiddenInReading(sql)).toBeNull();
  });
});

describe('text of values', () => {
  it('escapes literals, names and parameters', () => {
    expect(quote("a'b\\")).toBe("'a\\'b\\\\'");
    expect(quoteIdentifier('a`b')).toBe('`a\\`b`');
    expect([paramText("a'b\n\\"), paramText(null), paramText(["q'", null, 1, true]), paramText({ k: 'v' })]).toEqual([
      "a'b\\n\\\\",
      '\\N',
      "['q\\'',NULL,1,1]",
      "{'k':'v'}",
    ]);
    expect(columnNames('a UInt8, `b c` Map(String, Tuple(x UInt8, y String)), d String')).toBe('a, `b c`, d');
  });
});
