/** Test ground: an embedded engine in a directory of its own. One per process: give each to one test file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedClickHouse } from '../engine/embedded.ts';
import { migrate, retentionDaysMax } from '../schema.ts';

export interface TempEngine {
  engine: EmbeddedClickHouse;
  directory: string;
  end(): Promise<void>;
}

export async function openTempEngine(options: { migrated: boolean } = { migrated: true }): Promise<TempEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'logweir-storage-'));
  const engine = EmbeddedClickHouse.open({ directory });
  // Rows of tests have fixed dates, which retention must not reach.
  const forever = { logsDays: retentionDaysMax, findingsDays: retentionDaysMax, rollupsDays: retentionDaysMax };
  if (options.migrated) await migrate(engine, forever);
  return {
    engine,
    directory,
    end: async () => {
      await engine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
