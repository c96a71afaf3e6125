/** The sections that their own folders validate, checked before anything is started, with the line of a problem. */
import { LogweirError } from '#protocol/errors.ts';
import type { LoadedConfig } from './load.ts';

/** @throws LogweirError CONFIG_INVALID that begins with `file:line` */
export async function checkSections(loaded: LoadedConfig): Promise<void> {
  const [{ parseAnalysisConfig }, { parseAlertingConfig }] = await Promise.all([
    import('#analysis/detectors/mod.ts'),
    import('#alerting/mod.ts'),
  ]);
  placed(loaded, () => parseAnalysisConfig(loaded.config.analysis, 'analysis'));
  placed(loaded, () => parseAlertingConfig(loaded.config.alerting, 'alerting'));
}

function placed(loaded: LoadedConfig, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof LogweirError)) throw error;
    const path = /\b(analysis|alerting)[\w.[\]]*/.exec(error.message)?.[0].replace(/\.$/, '');
    if (path === undefined) throw error;
    throw new LogweirError(error.code, `${loaded.origin(path)}: ${error.message}`, error.remedy, { cause: error });
  }
}
