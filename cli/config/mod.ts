/** The configuration: one YAML file, the environment and options, checked once at the door. */
export { type ConfigSources, type LoadedConfig, loadConfig } from './load.ts';
export { checkSections, pipelineOf } from './sections.ts';
export { type Config, environmentName, receiverPorts, schema, workersMax } from './schema.ts';
