/** Why an input cannot be read, in a sentence, and what to do about it. */
import { LogweirError } from '#protocol/mod.ts';
import { journalFile } from './content.ts';

const notText = 'Unpack or convert it to text first, and name the text file.';

const journalRemedy = 'Export it: journalctl --file FILE -o export | logweir ingest -';

/** What to do about an archive or file that is not read here. */
export const remedyOf = (archive: string): string => (archive === journalFile ? journalRemedy : notText);

/** What went wrong with an input, and what to do about it. */
export function unreadable(file: { path: string }, error: NodeJS.ErrnoException): LogweirError {
  const { path } = file;
  const make = (message: string, remedy: string): LogweirError =>
    new LogweirError('INPUT_UNREADABLE', message, remedy, { cause: error });
  switch (error.code) {
    case 'ENOENT':
      return make(`${path} does not exist.`, 'Check the path; quote patterns that the shell should leave alone.');
    case 'EACCES':
    case 'EPERM':
      return make(`${path} may not be read by this user.`, 'Give the user read permission, or run as one that has it.');
    case 'EISDIR':
      return make(`${path} is a directory.`, 'Name the directory itself or the files in it.');
    case 'Z_BUF_ERROR':
      return make(
        `${path} is cut off: its compressed data ends too early.`,
        'What came before the cut was read. Copy the file again for the rest.',
      );
    case 'Z_DATA_ERROR':
      return make(
        `${path} is damaged (${error.message}).`,
        'What came before the damage was read. Copy the file again for the rest.',
      );
    default:
      return make(
        `${path} could not be read to its end: ${error.message}.`,
        'What came before was read. Check the file and the disk.',
      );
  }
}
