/**
 * Formats of results. The engine streams chunks that are each a whole document, so a stream may be passed on as it
 * is only where documents without header and footer join into one; headers of later chunks are cut off; everything
 * else (JSON, Parquet, Pretty, …) is made whole before it is sent, within the limit of result bytes.
 */

/** How chunks join: as they are, with a header of so many lines or of names in binary, or not at all. */
export type Joining =
  | { by: 'nothing' }
  | { by: 'lines'; lines: number; quotes: boolean }
  | { by: 'binary'; lists: number }
  | { by: 'whole' };

const bare = new Set(
  [
    'JSONEachRow JSONStringsEachRow JSONLines NDJSON JSONCompactEachRow JSONCompactStringsEachRow CSV TSV',
    'TabSeparated TSVRaw TabSeparatedRaw RawBLOB LineAsString Native RowBinary TSKV Null MsgPack',
  ].flatMap((line) => line.split(' ')),
);
const withNames =
  /^(CSV|TSV|TabSeparated|TSVRaw|TabSeparatedRaw|JSONCompactEachRow|JSONCompactStringsEachRow|RowBinary)WithNames(AndTypes)?$/;

export function joiningOf(format: string): Joining {
  if (bare.has(format)) return { by: 'nothing' };
  const match = withNames.exec(format);
  if (match === null) return { by: 'whole' };
  const lines = match[2] === undefined ? 1 : 2;
  return match[1] === 'RowBinary' ? { by: 'binary', lists: lines } : { by: 'lines', lines, quotes: match[1] === 'CSV' };
}

/** Length of a document's header in bytes. */
export function headerLength(document: Uint8Array, joining: Joining): number {
  if (joining.by === 'lines') return linesLength(document, joining.lines, joining.quotes);
  return joining.by === 'binary' ? namesLength(document, joining.lists) : 0;
}

function linesLength(document: Uint8Array, lines: number, quotes: boolean): number {
  let quoted = false;
  let left = lines;
  for (let at = 0; at < document.length; at++) {
    if (quotes && document[at] === 0x22) quoted = !quoted;
    else if (document[at] === 0x0a && !quoted && --left === 0) return at + 1;
  }
  return document.length;
}

/** A count, then so many strings in each list: names, and types where there are two. */
function namesLength(document: Uint8Array, lists: number): number {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < document.length; factor *= 128) {
      const byte = document[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return value;
  };
  const columns = varint();
  for (let i = 0; i < columns * lists; i++) {
    const size = varint();
    at += size;
  }
  return at;
}

export function contentTypeOf(format: string): string {
  if (/^(JSON(Strings|Compact|CompactStrings)?EachRow|JSONLines|NDJSON)/.test(format))
    return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (format.startsWith('CSV'))
    return `text/csv; charset=UTF-8; header=${format.includes('WithNames') ? 'present' : 'absent'}`;
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (/^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Protobuf|CapnProto|RawBLOB|Npy|BSON)/.test(format))
    return 'application/octet-stream';
  if (format === 'XML') return 'application/xml; charset=UTF-8';
  return 'text/plain; charset=UTF-8';
}
