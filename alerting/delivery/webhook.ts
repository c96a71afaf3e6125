/** Webhook: the notification as JSON, signed where a secret is set. */
import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../config/channels.ts';
import type { AlertView, Notification } from '../core/types.ts';
import type { Channel } from './channel.ts';
import { post } from './http.ts';
import { incidentLink, linkOf, statusOf, titleOf } from './text.ts';

const signatureHeader = 'x-logweir-signature';

/** What a webhook receives. */
export interface WebhookBody extends Omit<Notification, 'firing' | 'resolved'> {
  status: string;
  title: string;
  /** The page, at the incident, or at the first alert. */
  url: string;
  alerts: (AlertView & { url: string })[];
}

export function webhookBody(notification: Notification, publicUrl: string): WebhookBody {
  const { firing, resolved, ...rest } = notification;
  const alerts = [...firing, ...resolved].map((view) => ({ ...view, url: linkOf(publicUrl, view) }));
  return {
    ...rest,
    status: statusOf(notification).toLowerCase(),
    title: titleOf(notification),
    url:
      notification.incident === null
        ? (alerts[0]?.url ?? linkOf(publicUrl))
        : incidentLink(publicUrl, notification.incident),
    alerts,
  };
}

/** `sha256=` and the hex HMAC of the raw body. */
export function signatureOf(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

export function webhookChannel(config: WebhookConfig, publicUrl: string, clock: () => number): Channel {
  return {
    name: config.name,
    deliver(notification) {
      const body = JSON.stringify(webhookBody(notification, publicUrl));
      return post({
        url: config.url,
        body,
        headers: {
          // A delivery may come twice (an answer that was lost): receivers can tell by this key.
          'idempotency-key': notification.id,
          ...config.headers,
          ...(config.secret === '' ? {} : { [signatureHeader]: signatureOf(config.secret, body) }),
        },
        timeoutMs: config.timeoutMs,
        clock,
      });
    },
  };
}
