/** ClickHouse, embedded or by URL: engine, HTTP face, schema. */
export { EmbeddedClickHouse, type EmbeddedOptions } from './engine/embedded.ts';
export { ClickHouseError, exceptionCodes } from './engine/error.ts';
export { HttpClickHouse, type HttpOptions } from './engine/http.ts';
export type { ClickHouse, QueryOptions, Settings } from './engine/port.ts';
export { type ClickHouseServer, type ClickHouseServerOptions, serveClickHouse } from './http/server.ts';
export { type Limits, limitsDefault } from './http/settings.ts';
export { database, migrate, type Retention, retentionDefault, schemaVersion } from './schema.ts';
export {
  exportFormatOf,
  type ExportFormat,
  exportFormats,
  type ExportQuery,
  exportSql,
  type ExportTable,
  exportTable,
  exportTables,
} from './export.ts';
export * from './queries/mod.ts';
export { type AlertsWriter, type AlertsWriterOptions, readAlertsRecord, startAlertsWriter } from './writer/alerts.ts';
export { type BlockLimits, blockLimitsDefault } from './writer/block.ts';
export { readWriterRecord, startWriter, type Writer, type WriterOptions, type WriterStats } from './writer/run.ts';
export type { WriterRecord } from './writer/state.ts';
export { type Storage, type StorageOptions, startStorage } from './role.ts';
