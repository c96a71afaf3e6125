/** The pipeline of a configuration, with what pure code cannot reach: files and keyed hashes. */
import { createHmac } from 'node:crypto';
import { compilePipeline, type Pipeline } from '#analysis/pipeline/mod.ts';
import { readTable } from './tables.ts';

/**
 * Null where the section says nothing. `directory`: where relative names of tables start.
 * @throws LogweirError CONFIG_INVALID that begins with the path of what is wrong.
 */
export function openPipeline(section: unknown, directory: string): Pipeline | null {
  return compilePipeline(section, 'pipeline', {
    mac: (key, text) => createHmac('sha256', key).update(text).digest('hex'),
    readTable: ({ file, path }) => readTable(file, path, directory),
  });
}
