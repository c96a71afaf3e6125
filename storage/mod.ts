/** ClickHouse, embedded or by URL: the storage role, and what others ask of it. */
export { EmbeddedClickHouse, type EmbeddedOptions } from './engine/embedded.ts';
export { HttpClickHouse, type HttpOptions } from './engine/http.ts';
export type { ClickHouse, QueryOptions, Settings } from './engine/port.ts';
export type { ClickHouseServer, ClickHouseServerOptions } from './http/server.ts';
export type { Limits } from './http/settings.ts';
export * from './queries/mod.ts';
export { type Storage, type StorageOptions, startStorage } from './role.ts';
export { migrate, type Retention } from './schema.ts';
export { readAlertsRecord } from './writer/alerts.ts';
export type { ReadBack, StoredRows } from './writer/read-back.ts';
export { readWriterRecord } from './writer/record.ts';
export type { Writer } from './writer/run.ts';
export type { WriterOptions, WriterStats } from './writer/session.ts';
export type { WriterRecord } from './writer/state.ts';
