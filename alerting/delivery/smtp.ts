/** Mail through an SMTP server: TLS, STARTTLS or plain, with or without authentication. */
import { createTransport } from 'nodemailer';
import type { SmtpConfig } from '../config/channels.ts';
import type { Notification } from '../core/types.ts';
import { type Channel, DeliveryError } from './channel.ts';
import { oneLine, plainText, statusOf, titleOf } from './text.ts';

export function mailOf(
  notification: Notification,
  config: Pick<SmtpConfig, 'from' | 'to'>,
  publicUrl: string,
): { from: string; to: string[]; subject: string; text: string; messageId: string; headers: Record<string, string> } {
  const domain = config.from.slice(config.from.lastIndexOf('@') + 1).replace(/[^\w.-]/g, '');
  return {
    from: config.from,
    to: config.to,
    subject: `[${statusOf(notification)}] ${oneLine(titleOf(notification), 180)}`,
    text: plainText(notification, publicUrl),
    // The same delivery has the same id, so that a mail that comes twice is shown once.
    messageId: `<${notification.id}@${domain}>`,
    // Tells vacation responders and ticket systems that a machine wrote this.
    headers: { 'auto-submitted': 'auto-generated' },
  };
}

export function smtpChannel(config: SmtpConfig, publicUrl: string): Channel {
  const { host, port, encryption, verifyCertificate, user, password, timeoutMs } = config;
  const transport = createTransport({
    host,
    port,
    secure: encryption === 'tls',
    requireTLS: encryption === 'starttls',
    ignoreTLS: encryption === 'none',
    tls: { rejectUnauthorized: verifyCertificate },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    ...(user === '' ? {} : { auth: { user, pass: password } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    name: config.name,
    async deliver(notification) {
      try {
        await transport.sendMail(mailOf(notification, config, publicUrl));
      } catch (cause) {
        const { responseCode, message } = cause as Error & { responseCode?: number };
        // 5yz is the server's word for "do not try again"; anything else may pass.
        const permanent = responseCode !== undefined && responseCode >= 500;
        throw new DeliveryError(`${host}:${port} did not take the mail: ${oneLine(message)}`, { permanent, cause });
      }
    },
  };
}
