/**
 * Each channel takes so many notifications a minute; what is over is held and told as one "and N more". A full outbox
 * (deliveries that nobody takes) holds in the same way, so that memory stays flat and what came first is kept.
 */
import type { Draft } from './draft.ts';
import { notificationIdOf } from './ids.ts';
import { type ChannelState, type Notification, outboxMax, servicesNamedMax } from './types.ts';

export const rateWindowMs = 60_000;

/** Queues a notification that tells `alerts` alerts, or holds them; null holds. */
export function send(
  draft: Draft,
  channel: string,
  notification: Notification | null,
  alerts: number,
  services: readonly string[],
): void {
  const state = currentWindow(draft, channel);
  const policy = draft.config.channels.find((one) => one.name === channel);
  if (policy === undefined) return;
  if (notification !== null && state.sent < policy.perMinuteMax && draft.outbox.size < outboxMax) {
    draft.putChannel(channel, { ...state, sent: state.sent + 1 });
    draft.queue(notification);
    return;
  }
  draft.totals.held += alerts;
  const heldServices = [...new Set([...state.heldServices, ...services])].slice(0, servicesNamedMax);
  draft.putChannel(channel, { ...state, held: state.held + alerts, heldServices });
}

function currentWindow(draft: Draft, channel: string): ChannelState {
  const fresh = { windowStartMs: draft.nowMs, sent: 0 };
  const state = draft.channels.get(channel);
  if (state === undefined) return { ...fresh, held: 0, heldServices: [], summaries: 0 };
  return draft.nowMs >= state.windowStartMs + rateWindowMs ? { ...state, ...fresh } : state;
}

/** When a channel may tell what it held, or null. */
export function summaryDueMs(state: ChannelState): number | null {
  return state.held > 0 ? state.windowStartMs + rateWindowMs : null;
}

export function sendSummary(draft: Draft, channel: string): void {
  const state = currentWindow(draft, channel);
  if (!draft.config.channels.some((one) => one.name === channel)) {
    draft.putChannel(channel, { ...state, held: 0, heldServices: [] });
    return;
  }
  if (draft.outbox.size >= outboxMax) {
    draft.putChannel(channel, state);
    return;
  }
  draft.putChannel(channel, {
    ...state,
    sent: state.sent + 1,
    held: 0,
    heldServices: [],
    summaries: state.summaries + 1,
  });
  draft.queue({
    id: notificationIdOf('summary', draft.nowMs, state.summaries, channel),
    channel,
    reason: 'summary',
    route: '',
    groupKey: '',
    atMs: draft.nowMs,
    firing: [],
    resolved: [],
    more: state.held,
    moreServices: state.heldServices,
    incident: null,
    receipt: null,
  });
}
