import { type TemplateConfig, templateDefaults } from './config.ts';
import { TemplateMiner } from './miner.ts';

export interface MinedLine {
  /** From 1. */
  line: number;
  templateId: string;
  template: string;
}

/** Mines all lines, then gives one answer per line in order, with templates as they stand after the last line. */
export function* mineAll(
  lines: Iterable<string | Uint8Array>,
  config: TemplateConfig = templateDefaults,
): Generator<MinedLine, void, undefined> {
  const miner = new TemplateMiner(config);
  const slots: number[] = [];
  for (const line of lines) {
    slots.push(typeof line === 'string' ? miner.mineText(line, 0) : miner.mine(line, 0, line.length, 0));
  }
  miner.review();
  for (let i = 0; i < slots.length; i++) {
    const { id, text } = miner.template(miner.resolve(slots[i]!));
    yield { line: i + 1, templateId: id, template: text };
  }
}
