/** Channels from their settings. */
import type { ChannelConfig } from '../config/channels.ts';
import type { Channel } from './channel.ts';
import { slackChannel } from './slack.ts';
import { smtpChannel } from './smtp.ts';
import { webhookChannel } from './webhook.ts';

export function openChannel(config: ChannelConfig, publicUrl: string, clock: () => number): Channel {
  switch (config.type) {
    case 'webhook':
      return webhookChannel(config, publicUrl, clock);
    case 'slack':
      return slackChannel(config, publicUrl, clock);
    case 'smtp':
      return smtpChannel(config, publicUrl);
  }
}
