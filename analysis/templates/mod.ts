/** Template mining: masked line → template, online, deterministic, bounded. The folder's one entry point. */
export { type MinedLine, mineAll } from './all.ts';
export { type TemplateConfig, templateDefaults } from './config.ts';
export { MaskedLines, Masker } from './masked.ts';
export { type MinerSnapshot, type Template, type TemplateKin, TemplateMiner } from './miner.ts';
export type { PlaceValues } from './place-values.ts';
