/** Log lines and JSON objects to records: formats are found per source and per line, without being told. */
export { resolveYear } from './civil.ts';
export { type ContainerOrigin, containerOfPath, isDockersOwn } from './container-path.ts';
export { serviceOfLabels } from './container.ts';
export { Draft, type ParsedRecord, type RawLines } from './draft.ts';
export { FieldMapper, roleOfField } from './fields.ts';
export { cutService, flattenJson, parseJsonObject } from './json.ts';
export type { LineCounts, LineFolding, LineParserOptions } from './line-options.ts';
export { LineParser } from './line-parser.ts';
export { serviceFromFileName } from './service-name.ts';
export { TimeScanner } from './time.ts';
export { recordLinesMax } from './open-record.ts';
