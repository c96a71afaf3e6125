/** Writes many small lines to stdout in few large pieces, waiting when the reader is slower. */
import type { CommandContext } from './command.ts';

const pieceChars = 64 * 1024;

export class LineWriter {
  private readonly ctx: Pick<CommandContext, 'write'>;
  private pending = '';

  constructor(ctx: Pick<CommandContext, 'write'>) {
    this.ctx = ctx;
  }

  /** Returns a promise only when there is something to wait for. */
  line(text: string): Promise<void> | undefined {
    this.pending += `${text}\n`;
    return this.pending.length >= pieceChars ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const text = this.pending;
    this.pending = '';
    if (text !== '') await this.ctx.write(text);
  }
}
