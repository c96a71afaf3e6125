/** The writer and what it is made of, for whoever runs it without the rest of the role. */
export { startAlertsWriter } from './alerts.ts';
export { BlockBuilder } from './block.ts';
export { type StoredRows, StoredUnits } from './read-back.ts';
export { startWriter } from './run.ts';
