/** The HTTP API, live events and the page: one server, everything it needs handed in. */
import { LogweirError } from '#protocol/errors.ts';
import type { ApiDeps } from './ports.ts';
import { buildServer } from './server.ts';

export type {
  AlertFilter,
  AnomalyFilter,
  ApiDeps,
  ApiLog,
  DeadDesk,
  LiveSource,
  ModelDesk,
  LogFilter,
  Paging,
  Queries,
  TemplateFilter,
  TrendRow,
} from './ports.ts';
export type * from './types.ts';
export { withLasting } from './lasting.ts';
export { modelStatus } from './model-status.ts';
export { clusterStatus, rateSample } from './cluster-status.ts';

export interface Api {
  /** Where it answers, without a slash at the end. */
  url: string;
  /** Ends live connections, then the server. */
  close(): Promise<void>;
}

/** Starts the server. Throws LogweirError PORT_TAKEN when the port is used. */
export async function startApi(deps: ApiDeps): Promise<Api> {
  const app = await buildServer(deps);
  try {
    await app.listen({ host: deps.host, port: deps.port });
  } catch (error) {
    await app.close();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new LogweirError(
      'PORT_TAKEN',
      `Port ${deps.port} on ${deps.host} is used by another program.`,
      'End that program or choose another API port.',
      { cause: error },
    );
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : deps.port;
  const host = deps.host === '0.0.0.0' || deps.host === '::' ? '127.0.0.1' : deps.host;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close: () => app.close() };
}
