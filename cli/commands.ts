/** Every command that exists, in the order of `logweir --help`; its file is imported only when it is called. */
import type { Command } from './command.ts';

export interface CommandEntry {
  /** One line, no full stop. */
  summary: string;
  load(): Promise<{ command: Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  up: { summary: 'start a cluster on this machine', load: () => import('./up.ts') },
  demo: { summary: 'start a cluster and stream a made-up shop into it', load: () => import('./demo.ts') },
  status: { summary: 'show what runs, how fast, and how far behind', load: () => import('./status.ts') },
  scale: { summary: 'change the number of workers while logs flow', load: () => import('./scale.ts') },
  sql: { summary: 'run a query on the stored logs and findings', load: () => import('./sql.ts') },
  report: { summary: 'sum up what is stored', load: () => import('./report.ts') },
  export: { summary: 'write what is stored as CSV, JSON or Parquet', load: () => import('./export.ts') },
  templates: { summary: 'find the templates of log messages', load: () => import('./templates.ts') },
  classify: { summary: 'tell severity and category of log messages', load: () => import('./classify.ts') },
  train: { summary: 'train the classifier on labelled messages', load: () => import('./train.ts') },
  model: { summary: 'train, compare and roll back the models that classify', load: () => import('./model.ts') },
  correct: { summary: 'correct severity or category of messages', load: () => import('./correct.ts') },
  detect: {
    summary: 'find what is unusual in logs, a series or sequences of events',
    load: () => import('./detect.ts'),
  },
  backtest: { summary: 'try a configuration over the past, telling nobody', load: () => import('./backtest.ts') },
  gateway: { summary: 'receive logs and put them on the stream', load: () => import('./gateway.ts') },
  worker: { summary: 'analyse partitions', load: () => import('./worker.ts') },
  coordinator: { summary: 'lead the cluster, serve API and dashboard', load: () => import('./coordinator.ts') },
  storage: { summary: 'write results into ClickHouse and serve it', load: () => import('./storage.ts') },
  parse: { summary: 'show what would come out of log files', load: () => import('./parse.ts') },
  ingest: { summary: 'read log files into the cluster', load: () => import('./ingest.ts') },
  dead: { summary: 'show, send again and remove what could not be taken', load: () => import('./dead.ts') },
  verify: { summary: 'compare what is stored with a fold of the stream', load: () => import('./verify.ts') },
  reconcile: { summary: 'count what is on the stream and what is stored', load: () => import('./reconcile.ts') },
  alerting: { summary: 'turn anomalies into alerts and tell people', load: () => import('./alerting.ts') },
};
