/** The sections that their own folders validate, checked before anything is started, with the line of a problem. */
import { dirname } from 'node:path';
import type { Pipeline } from '#analysis/pipeline/mod.ts';
import { LogweirError } from '#protocol/errors.ts';
import type { LoadedConfig } from './load.ts';

/** `cwd`: where names of tables start if there is no file. @throws LogweirError CONFIG_INVALID that begins with `file:line` */
export async function checkSections(loaded: LoadedConfig, cwd = '.'): Promise<void> {
  const [{ parseAnalysisConfig }, { parseAlertingConfig }] = await Promise.all([
    import('#analysis/detectors/mod.ts'),
    import('#alerting/mod.ts'),
  ]);
  placed(loaded, () => parseAnalysisConfig(loaded.config.analysis, 'analysis'));
  placed(loaded, () => parseAlertingConfig(loaded.config.alerting, 'alerting'));
  await pipelineOf(loaded, cwd);
}

/** The parsing pipeline, null where none is configured. @throws LogweirError CONFIG_INVALID that begins with `file:line` */
export async function pipelineOf(loaded: LoadedConfig, cwd: string): Promise<Pipeline | null> {
  const { pipeline } = loaded.config;
  if (Object.keys(pipeline).length === 0) return null;
  const { openPipeline } = await import('#ingest/pipeline/mod.ts');
  return placed(loaded, () => openPipeline(pipeline, loaded.file === undefined ? cwd : dirname(loaded.file)));
}

function placed<T>(loaded: LoadedConfig, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof LogweirError)) throw error;
    const path = /\b(analysis|alerting|pipeline)[\w.[\]]*/.exec(error.message)?.[0].replace(/\.$/, '');
    if (path === undefined) throw error;
    throw new LogweirError(error.code, `${loaded.origin(path)}: ${error.message}`, error.remedy, { cause: error });
  }
}
