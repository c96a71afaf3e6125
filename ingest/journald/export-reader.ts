/**
 * The journal export format, as `journalctl -o export` writes it and systemd-journal-upload sends it: fields line by line,
 * binary ones with their length, an empty line behind each entry. Read as it comes, holding no more than one entry.
 * Source: systemd.io/JOURNAL_EXPORT_FORMATS.
 */
import { isUtf8 } from 'node:buffer';
import { recordBytesMax } from '#protocol/mod.ts';
import { ByteQueue } from '../byte-queue.ts';

export interface JournalEntry {
  /** Flat name, value list, as it came; what is no UTF-8 as base64. */
  fields: string[];
  /** Fields that were too large to keep, and their bytes: core dumps, as a rule. */
  omitted: { name: string; bytes: number }[];
}

export interface JournalSink {
  entry(entry: JournalEntry): void;
  /** Something that is no field: the rest of its entry is passed over. `bytes` is the beginning of it. */
  malformed(reason: string, bytes: Buffer): void;
}

/** A field, and all that are kept of one entry: over it there is no record anyway. */
export const fieldBytesMax = recordBytesMax;
export const entryBytesMax = 2 * recordBytesMax;
/** systemd's own bounds of an entry's fields, and of one field's size. */
const fieldsMax = 1_024;
const declaredBytesMax = 768 * 1024 * 1024;
const nameCharactersMax = 64;
const malformedBytesKept = 4_096;

const newline = 0x0a;
const equals = 0x3d;
const sizeBytes = 8;

type State =
  | { kind: 'line' }
  /** Behind the name of a binary field: its length follows. */
  | { kind: 'size'; name: string }
  | { kind: 'data'; name: string; bytes: number }
  /** Passing over the data of a field that is too large, and its newline. */
  | { kind: 'overData'; left: number }
  /** Passing over a line that is too long. */
  | { kind: 'overLine'; name: string; bytes: number }
  /** Passing over the rest of an entry that is broken. */
  | { kind: 'broken' };

const line: State = { kind: 'line' };

export class JournalExportReader {
  private readonly queue = new ByteQueue();
  private readonly sink: JournalSink;
  private state: State = line;
  private fields: string[] = [];
  private omitted: JournalEntry['omitted'] = [];
  private keptBytes = 0;
  /** Bytes of the queue that are known to hold no newline. */
  private searched = 0;

  constructor(sink: JournalSink) {
    this.sink = sink;
  }

  /** Bytes held of an entry that is not whole. */
  get openBytes(): number {
    return this.queue.length + this.keptBytes;
  }

  push(chunk: Uint8Array): void {
    this.queue.append(chunk);
    while (this.step());
  }

  /** The input ends. Returns how many bytes stand at its end that are no whole field. */
  end(): number {
    const rest = this.state.kind === 'line' || this.state.kind === 'broken' ? this.queue.length : this.queue.length + 1;
    if (this.state.kind === 'line' && rest === 0) this.finish();
    return rest;
  }

  /** True where something was read and more may follow. */
  private step(): boolean {
    const { state, queue } = this;
    switch (state.kind) {
      case 'line':
      case 'broken':
        return this.line(state.kind === 'broken');
      case 'size': {
        if (queue.length < sizeBytes) return false;
        const size = queue.bytes.readBigUInt64LE(0);
        if (size > BigInt(declaredBytesMax)) {
          this.break(`the field ${state.name} claims ${size} bytes`, queue.bytes);
          return true;
        }
        queue.consume(sizeBytes);
        const bytes = Number(size);
        if (this.isTooMuch(bytes)) {
          this.omitted.push({ name: state.name, bytes });
          this.state = { kind: 'overData', left: bytes + 1 };
        } else this.state = { kind: 'data', name: state.name, bytes };
        return true;
      }
      case 'data': {
        if (queue.length < state.bytes + 1) return false;
        const { bytes } = queue;
        if (bytes[state.bytes] !== newline) {
          this.break(`no newline is behind the ${state.bytes} bytes of ${state.name}`, bytes);
          return true;
        }
        this.keep(state.name, bytes.subarray(0, state.bytes));
        queue.consume(state.bytes + 1);
        this.state = line;
        return true;
      }
      case 'overData': {
        const passed = Math.min(queue.length, state.left);
        queue.consume(passed);
        state.left -= passed;
        if (state.left === 0) this.state = line;
        return state.left === 0;
      }
      case 'overLine': {
        const end = queue.bytes.indexOf(newline);
        const passed = end < 0 ? queue.length : end + 1;
        state.bytes += passed;
        queue.consume(passed);
        if (end < 0) return false;
        this.omitted.push({ name: state.name, bytes: state.bytes - 1 });
        this.state = line;
        return true;
      }
    }
  }

  private line(isBroken: boolean): boolean {
    const { queue } = this;
    const { bytes } = queue;
    const end = bytes.indexOf(newline, this.searched);
    if (end < 0) {
      this.searched = bytes.length;
      if (bytes.length <= fieldBytesMax + nameCharactersMax) return false;
      this.searched = 0;
      if (!isBroken) this.overlong(bytes);
      // In a broken entry a line that never ends is let go as it comes.
      else queue.consume(bytes.length);
      return true;
    }
    this.searched = 0;
    if (end === 0) this.finish();
    else if (!isBroken) this.field(bytes.subarray(0, end));
    queue.consume(end + 1);
    return true;
  }

  private overlong(bytes: Buffer): void {
    const at = bytes.subarray(0, nameCharactersMax + 1).indexOf(equals);
    const name = bytes.toString('latin1', 0, Math.max(at, 0));
    if (!isName(name)) this.break('a line that is no field does not end', bytes);
    else this.state = { kind: 'overLine', name, bytes: -(at + 1) };
  }

  private field(text: Buffer): void {
    const at = text.indexOf(equals);
    const nameEnd = at < 0 ? text.length : at;
    const name = nameEnd > nameCharactersMax ? '' : text.toString('latin1', 0, nameEnd);
    if (!isName(name)) this.break('a line is no field', text);
    else if (at < 0) this.state = { kind: 'size', name };
    else if (this.isTooMuch(text.length)) this.omitted.push({ name, bytes: text.length - at - 1 });
    else this.keep(name, text.subarray(at + 1));
  }

  private isTooMuch(bytes: number): boolean {
    return (
      bytes > fieldBytesMax ||
      this.keptBytes + bytes > entryBytesMax ||
      this.fields.length + this.omitted.length * 2 >= fieldsMax * 2
    );
  }

  private keep(name: string, value: Buffer): void {
    this.keptBytes += name.length + value.length;
    this.fields.push(name, isUtf8(value) || name === 'MESSAGE' ? value.toString('utf8') : value.toString('base64'));
  }

  private break(reason: string, bytes: Buffer): void {
    this.sink.malformed(reason, bytes.subarray(0, malformedBytesKept));
    this.clear();
    this.state = { kind: 'broken' };
  }

  private finish(): void {
    const { fields, omitted } = this;
    this.clear();
    this.state = line;
    if (fields.length > 0 || omitted.length > 0) this.sink.entry({ fields, omitted });
  }

  private clear(): void {
    this.fields = [];
    this.omitted = [];
    this.keptBytes = 0;
  }
}

/** As journald takes them from clients: capitals, digits and underscores. */
const isName = (name: string): boolean => /^[A-Z_][A-Z0-9_]*$/.test(name) && name.length <= nameCharactersMax;
