/** ClickHouse, embedded or by URL: engine, HTTP face, schema. */
export { EmbeddedClickHouse, type EmbeddedOptions } from './engine/embedded.ts';
export { ClickHouseError, exceptionCodes } from './engine/error.ts';
export { HttpClickHouse, type HttpOptions } from './engine/http.ts';
export type { ClickHouse, QueryOptions, Settings } from './engine/port.ts';
export { type ClickHouseServer, type ClickHouseServerOptions, serveClickHouse } from './http/server.ts';
export { type Limits, limitsDefault } from './http/settings.ts';
export { database, migrate, type Retention, retentionDefault, schemaVersion } from './schema.ts';
