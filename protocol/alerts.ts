/** Messages on ALERTS: state changes of alerts and incidents, on their way to their tables. */
import type { Receipt } from './findings.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import type { IncidentVersion } from './incidents.ts';

/** One state change of an alert; one row of `alerts`. Times in ms since 1970. */
export interface AlertTransition {
  /** 16 hex digits of (service, lane, detector, subject, first firing). */
  alertId: string;
  /** Counts up from 1 within the alert. */
  transition: number;
  state: 'firing' | 'resolved';
  atMs: number;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  anomalyId: string;
  score: number;
  actual: number;
  typical: number;
  description: string;
  groupKey: string;
  /** Names of the channels that were told; empty where a silence or route kept it quiet. */
  channels: string[];
  suppressedBy: string;
  receipt: Receipt;
}

export interface AlertsMessage {
  transitions: AlertTransition[];
  /** Left out by writers from before there were incidents. */
  incidents?: IncidentVersion[];
}

export function encodeAlerts(message: AlertsMessage): Uint8Array {
  return encodeFrame('alerts', message);
}

export function decodeAlerts(bytes: Uint8Array): AlertsMessage {
  return decodeFrame(bytes).value as AlertsMessage;
}
