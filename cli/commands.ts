/** Every command that exists, in the order of `logweir --help`; its file is imported only when it is called. */
import type { Command } from './command.ts';

export interface CommandEntry {
  /** One line, no full stop. */
  summary: string;
  load(): Promise<{ command: Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  up: { summary: 'start a cluster on this machine', load: () => import('./up.ts') },
  templates: { summary: 'find the templates of log messages', load: () => import('./templates.ts') },
  classify: { summary: 'tell severity and category of log messages', load: () => import('./classify.ts') },
  train: { summary: 'train the classifier on labelled messages', load: () => import('./train.ts') },
};
