/**
 * Which lines belong to the record before them. A line folds where its shape says so: stack frames, `Caused by:`,
 * indentation behind a line without, the last line of a Python traceback. Lines that merely fit no format do not fold:
 * in mixed input they are somebody else's.
 */
import { char, isAlnum, isDigit, isSpace, skipSpaces } from './scan.ts';

/** The trace that the open record is in. */
export type TraceKind = 'none' | 'java' | 'python' | 'python-ended' | 'go';

export type FoldVerdict = 'fold' | 'start' | 'unknown';

const pythonHeader = 'Traceback (most recent call last)';
const pythonChains = ['During handling of the above exception', 'The above exception was the direct cause'];
const javaContinuations = ['Caused by: ', 'Suppressed: ', 'Wrapped by: ', '--- End of ', '---> ', '... '];
const goContinuations = [
  'goroutine ',
  'created by ',
  'exit status ',
  '[signal ',
  '[originating from ',
  '[recovered]',
  'runtime stack:',
  'panic: ',
  'runtime.',
  'main.',
];
const uncaughtHeaders = [
  'Exception in thread ',
  'Unhandled exception',
  'Unhandled Exception',
  'Uncaught ',
  'panic: ',
  'fatal error: ',
  pythonHeader,
];

function startsWithAny(text: string, at: number, starts: readonly string[]): boolean {
  for (const start of starts) if (text.startsWith(start, at)) return true;
  return false;
}

/** Trace that a record's first line opens; `none` for most. */
export function traceOpenedBy(body: string): TraceKind {
  const code = body.charCodeAt(0);
  if (code === 84 && body.startsWith(pythonHeader)) return 'python';
  if (code === 112 && body.startsWith('panic: ')) return 'go';
  if (code === 102 && body.startsWith('fatal error: ')) return 'go';
  if (code === 103 && body.startsWith('goroutine ')) return 'go';
  return 'none';
}

/** A line that begins an uncaught crash's own record where none is open that it could belong to. */
export function isUncaughtHeader(text: string): boolean {
  return startsWithAny(text, 0, uncaughtHeaders);
}

/**
 * `pkg.SomeException: message`, `System.InvalidOperationException`, `TypeError: x is not a function`: a qualified class
 * name or one that ends as exceptions do, at the start of the line. `qualified` asks for a dot in it.
 */
export function isExceptionLine(text: string, at: number, qualified: boolean): boolean {
  let i = at;
  let dots = 0;
  const limit = at + 200;
  for (; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === char.dot) dots++;
    else if (!isAlnum(code) && code !== char.underscore && code !== char.dollar) break;
  }
  const code = text.charCodeAt(i);
  if (i === at || (!Number.isNaN(code) && code !== char.colon && code !== char.space)) return false;
  const name = text.slice(at, i);
  const exceptional =
    name.endsWith('Exception') ||
    name.endsWith('Error') ||
    name.endsWith('Throwable') ||
    name.endsWith('Interrupt') ||
    name.endsWith('Exit');
  return qualified ? dots > 0 && exceptional : exceptional || (dots === 0 && code === char.colon);
}

/** Stack frames: `at pkg.Class.method(File.java:1)`, `File "x.py", line 1`, `at fn (file.js:1:2)`. */
function isFrame(text: string, at: number): boolean {
  return text.startsWith('at ', at) || text.startsWith('File "', at) || startsWithAny(text, at, javaContinuations);
}

/**
 * What a line is to the open record. `indentedStart`: the open record's own first line is indented, so indentation
 * says nothing. `unknown` leaves it to the formats.
 */
export function foldVerdict(text: string, trace: TraceKind, openIndented: boolean): FoldVerdict {
  const at = skipSpaces(text, 0);
  if (at > 0) {
    const code = text.charCodeAt(at);
    if (isFrame(text, at)) return 'fold';
    if (openIndented) return 'unknown';
    // A whole record may be indented; a stamp or an object needs a look.
    if (code === char.braceOpen || isDigit(code) || code === char.bracketOpen)
      return trace === 'none' ? 'unknown' : 'fold';
    return 'fold';
  }
  const first = text.charCodeAt(0);
  // C, S, W, -, ., a
  if (
    (first === 67 || first === 83 || first === 87 || first === char.minus || first === char.dot) &&
    startsWithAny(text, 0, javaContinuations)
  )
    return 'fold';
  if (first === 97 && text.startsWith('at ') && /[(:][^ ]*\d+\)?$/.test(text.slice(-120))) return 'fold';
  switch (trace) {
    case 'python':
      return isExceptionLine(text, 0, false) ? 'fold' : 'unknown';
    case 'python-ended':
      return startsWithAny(text, 0, pythonChains) || text.startsWith(pythonHeader) ? 'fold' : 'unknown';
    case 'go':
      return startsWithAny(text, 0, goContinuations) || isGoCall(text) ? 'fold' : 'unknown';
    default:
      return 'unknown';
  }
}

/** `net/http.(*conn).serve(0xc000, …)`: a call at the margin within a Go trace. */
function isGoCall(text: string): boolean {
  const open = text.indexOf('(');
  if (open < 1 || open > 300 || text.charCodeAt(text.length - 1) !== char.parenClose) return false;
  for (let i = 0; i < open; i++) if (isSpace(text.charCodeAt(i))) return false;
  return text.slice(0, open).includes('.');
}

/** The state of the trace after `text` was folded into it. */
export function traceAfter(text: string, trace: TraceKind): TraceKind {
  const at = skipSpaces(text, 0);
  if (text.startsWith(pythonHeader, at)) return 'python';
  if (trace === 'python' && at === 0 && text !== '') return 'python-ended';
  if (trace === 'none' && at < text.length && (text.startsWith('goroutine ') || text.startsWith('panic: ')))
    return 'go';
  if (trace === 'none' && (isFrame(text, at) || isExceptionLine(text, at, true))) return 'java';
  return trace;
}

/** Lines of nothing but closing brackets end a block that was opened in the record before them. */
export function isClosing(text: string): boolean {
  if (text.length > 8) return false;
  for (let i = 0; i < text.length; i++) if (!'}]),; '.includes(text.charAt(i))) return false;
  return text.length > 0;
}

export function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > char.space) return false;
  return true;
}
