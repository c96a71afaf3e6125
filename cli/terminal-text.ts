/**
 * What is written to a terminal. Logs, names of services and files are what strangers chose: control characters among them
 * would move the cursor, rename the window or type for whoever reads them. Pipes and files get everything as it is.
 */
import { escaped } from '#protocol/dead-text.ts';

export class TerminalText {
  private readonly isTerminal: boolean;
  private readonly decoder = new TextDecoder();

  constructor(isTerminal: boolean) {
    this.isTerminal = isTerminal;
  }

  /** As it may be written; bytes may end within a character. */
  shown(text: string | Uint8Array): string | Uint8Array {
    if (!this.isTerminal) return text;
    // Windows' line ends are no harm, and stand in files that are shown.
    return escaped(
      (typeof text === 'string' ? text : this.decoder.decode(text, { stream: true })).replaceAll('\r\n', '\n'),
    );
  }
}
