/** Detectors over the windows and records of one service: pure, deterministic, bounded. The folder's one entry point. */
export type { ObservedEvent } from '#analysis/windows/mod.ts';
export {
  type AnalysisConfig,
  analysisDefaults,
  type DetectorsConfig,
  type MatcherConfig,
  parseAnalysisConfig,
  type RuleConfig,
  type SequenceConfig,
  type WindowFeature,
} from './config.ts';
export type { AnalysisHost, Findings, TemplateInfo } from './incident.ts';
export {
  type KeyedSequenceCounts,
  KeyedSequenceDetector,
  type KeyedSequenceOptions,
  type SequenceVerdict,
} from './sequences/detector.ts';
export { SeriesDetector, type SeriesSnapshot } from './series/detector.ts';
export { ServiceAnalysis, type ServiceAnalysisSnapshot, type ServiceIdentity } from './service.ts';
