/** Log lines and JSON objects to records: formats are found per source and per line, without being told. */
export type { ParsedRecord } from './draft.ts';
export { roleOfField } from './fields.ts';
export { cutService, parseJsonObject } from './json.ts';
export { type LineCounts, LineParser, type LineParserOptions, recordLinesMax } from './line-parser.ts';
export { serviceFromFileName } from './service-name.ts';
