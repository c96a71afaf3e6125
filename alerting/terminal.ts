import type { AlertTransition } from '#protocol/mod.ts';
import { severityOf } from './core/types.ts';

/** What an operator reads in the terminal. */
export function lineOf({ state, service, detector, description, score }: AlertTransition): string {
  return state === 'firing'
    ? `ALERT ${severityOf(score)} ${service}: ${description} (${detector}, score ${Math.round(score)})`
    : `RESOLVED ${service}: ${detector} is over`;
}
