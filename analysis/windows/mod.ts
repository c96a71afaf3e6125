/** Event-time windows of one service in one lane: pure, snapshot-able, bounded. The folder's one entry point. */
export type { WindowsConfig } from './config.ts';
export { type ClosedWindow, EventWindows, type EventWindowsSnapshot } from './event-windows.ts';
export { featureOf, rollingOf } from './row.ts';
export { sampleOf } from './sample.ts';
export { bucketMiddle, bucketOf, logOf, ValueSketch, valueOfLog } from './sketch.ts';
export { classes, classOfSeverity, type ObservedEvent, WindowState } from './window.ts';
