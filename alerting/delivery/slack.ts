/** Slack incoming webhook: one message of blocks. Limits are Slack's: 50 blocks, 150 characters of header, 3000 of text. */
import type { SlackConfig } from '../config/channels.ts';
import type { AlertView, Notification } from '../core/types.ts';
import type { Channel } from './channel.ts';
import { post } from './http.ts';
import {
  findingsOf,
  incidentLink,
  linkOf,
  moreLine,
  nameOf,
  oneLine,
  scoreOf,
  statusOf,
  titleOf,
  whenOf,
} from './text.ts';

interface Block {
  type: 'header' | 'section' | 'context' | 'divider';
  text?: { type: 'plain_text' | 'mrkdwn'; text: string };
  elements?: { type: 'mrkdwn'; text: string }[];
}

export interface SlackMessage {
  /** Shown where blocks are not: notifications on a phone. */
  text: string;
  blocks: Block[];
}

const marks: Record<string, string> = {
  CRITICAL: ':red_circle:',
  MAJOR: ':large_orange_circle:',
  MINOR: ':large_yellow_circle:',
  WARNING: ':white_circle:',
  RESOLVED: ':white_check_mark:',
  SUMMARY: ':heavy_plus_sign:',
};

export function slackMessage(notification: Notification, publicUrl: string): SlackMessage {
  const status = statusOf(notification);
  const title = oneLine(titleOf(notification), 140);
  const views = [...notification.firing, ...notification.resolved];
  const blocks: Block[] = [
    { type: 'header', text: { type: 'plain_text', text: title } },
    ...incidentSection(notification, publicUrl),
    ...views.map((view) => section(view, publicUrl)),
  ];
  const more = moreLine(notification);
  const foot = [`${marks[status] ?? ''} ${status}`, more, `<${linkOf(publicUrl)}|Dashboard>`].filter(
    (one) => one !== '',
  );
  blocks.push({ type: 'context', elements: [{ type: 'mrkdwn', text: foot.join('  ·  ') }] });
  return { text: escape(`${status}: ${title}`), blocks };
}

function incidentSection({ incident }: Notification, publicUrl: string): Block[] {
  if (incident === null) return [];
  const text = `*<${incidentLink(publicUrl, incident)}|Incident>* ${escape(oneLine(incident.description, 600))}`;
  return [{ type: 'section', text: { type: 'mrkdwn', text } }];
}

function section(view: AlertView, publicUrl: string): Block {
  const over = view.state === 'resolved';
  const lines = [
    `*<${linkOf(publicUrl, view)}|${escape(view.service)}: ${escape(nameOf(view))}>*${over ? ' is over' : ''}`,
    escape(oneLine(view.description, 600)),
    `${scoreOf(view)} · ${whenOf(view)}${findingsOf(view)}`,
  ];
  const samples = over ? [] : view.samples;
  if (samples.length > 0)
    lines.push(`\`\`\`${samples.map((sample) => escape(oneLine(sample)).replaceAll('```', "'''")).join('\n')}\`\`\``);
  return { type: 'section', text: { type: 'mrkdwn', text: lines.join('\n').slice(0, 3_000) } };
}

/** The three characters that Slack asks to escape. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export function slackChannel(config: SlackConfig, publicUrl: string, clock: () => number): Channel {
  return {
    name: config.name,
    deliver: (notification) =>
      post({
        url: config.url,
        body: JSON.stringify(slackMessage(notification, publicUrl)),
        headers: {},
        timeoutMs: config.timeoutMs,
        clock,
      }),
  };
}
