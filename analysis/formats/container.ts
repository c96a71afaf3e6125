/**
 * What container runtimes wrap lines in on their hosts: Docker's json-file and the CRI format of Kubernetes. Neither is a
 * format of its own: it is taken off, and what is in it is read like any other line.
 */
import { attributesMax } from '#protocol/mod.ts';
import type { Draft } from './draft.ts';
import type { TimeScanner } from './time.ts';

export type ContainerFormat = 'docker' | 'cri';

/** What was around a line. */
export interface Wrapper {
  format: ContainerFormat;
  stream: 'stdout' | 'stderr';
  /** When the runtime read the line, ms since 1970, and ns within it. */
  timeMs: number;
  subNs: number;
  /** Labels and variables that Docker was told to add. */
  labels: Readonly<Record<string, unknown>> | null;
}

/** A line and its wrapper. Runtimes split lines at 16 KiB or less: a `isPart` goes on in the next one of its stream. */
export interface Wrapped {
  wrapper: Wrapper;
  isPart: boolean;
  /** What is within; '' where `textAt` says where it begins in the line. */
  text: string;
  /** Index in the line, -1 where `text` holds it. */
  textAt: number;
}

/** Null where the line is not wrapped: for most lines after a look at one or two characters. */
export function unwrap(line: string, time: TimeScanner): Wrapped | null {
  switch (line.charCodeAt(0)) {
    case 0x31:
    case 0x32:
      return cri(line, time);
    case 0x7b:
      return docker(line, time);
    default:
      return null;
  }
}

/** `2026-01-30T10:00:00.123456789Z stdout F text`; the tag may have more behind a colon. Podman writes it as well. */
function cri(line: string, time: TimeScanner): Wrapped | null {
  if (line.charCodeAt(10) !== 0x54) return null;
  const end = line.indexOf(' ', 19);
  if (end < 0 || end > 36) return null;
  const isError = line.startsWith('stderr ', end + 1);
  if (!isError && !line.startsWith('stdout ', end + 1)) return null;
  const tagAt = end + 8;
  const tag = line.charCodeAt(tagAt);
  if (tag !== 0x46 && tag !== 0x50) return null;
  let textAt = tagAt + 1;
  if (line.charCodeAt(textAt) === 0x3a) {
    while (textAt < line.length && line.charCodeAt(textAt) !== 0x20) textAt++;
  }
  // The runtime may have left out the space before an empty text, an editor may have cut it off.
  if (textAt < line.length && line.charCodeAt(textAt) !== 0x20 && line.charCodeAt(textAt) !== 0x0d) return null;
  if (time.scan(line, 0) !== end || !time.zoned) return null;
  const wrapper: Wrapper = {
    format: 'cri',
    stream: isError ? 'stderr' : 'stdout',
    timeMs: time.timeMs,
    subNs: time.subNs,
    labels: null,
  };
  return { wrapper, isPart: tag === 0x50, text: '', textAt: Math.min(textAt + 1, line.length) };
}

const dockerKeys = new Set(['log', 'stream', 'time', 'attrs']);

/** `{"log":"text\n","stream":"stdout","time":"…Z"}` with nothing else but `attrs`; without its newline it is a part. */
function docker(line: string, time: TimeScanner): Wrapped | null {
  if (!line.startsWith('{"log":') && !line.startsWith('{"attrs":')) return null;
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
  const { log, stream, time: stamp, attrs } = entry;
  if (typeof log !== 'string' || typeof stamp !== 'string' || (stream !== 'stdout' && stream !== 'stderr')) return null;
  for (const key in entry) if (!dockerKeys.has(key)) return null;
  if (attrs !== undefined && (typeof attrs !== 'object' || attrs === null || Array.isArray(attrs))) return null;
  if (!time.scanField(stamp) || !time.zoned) return null;
  const labels = (attrs as Record<string, unknown> | undefined) ?? null;
  const wrapper: Wrapper = { format: 'docker', stream, timeMs: time.timeMs, subNs: time.subNs, labels };
  const isWhole = log.endsWith('\n');
  return { wrapper, isPart: !isWhole, text: isWhole ? log.slice(0, -1) : log, textAt: -1 };
}

/** Names under which compose and swarm say which service a container is one of, by preference. */
const serviceLabels = ['com.docker.compose.service', 'com.docker.swarm.service.name'];

/** The service that a container's labels name; '' where they name none. */
export function serviceOfLabels(labels: Readonly<Record<string, unknown>> | null | undefined): string {
  if (labels === null || labels === undefined) return '';
  for (const name of serviceLabels) {
    const value = labels[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

/** What a wrapper says beside the time, as attributes: flat name, value list. */
export function wrapperAttributes({ stream, labels }: Wrapper): string[] {
  const attributes = ['log.iostream', stream];
  for (const name in labels) {
    const value = labels[name];
    if (typeof value === 'string' && value !== '' && attributes.length < 2 * attributesMax)
      attributes.push(name, value);
  }
  return attributes;
}

/** Adds what the wrapper says and the line does not. */
export function addWrapper(draft: Draft, wrapper: Wrapper): void {
  const { attributes } = draft;
  const added = wrapperAttributes(wrapper);
  for (let i = 0; i < added.length && attributes.length < 2 * attributesMax; i += 2)
    if (!hasName(attributes, added[i] as string)) attributes.push(added[i] as string, added[i + 1] as string);
  if (draft.timeMs === undefined) {
    draft.timeMs = wrapper.timeMs;
    draft.subNs = wrapper.subNs;
    draft.zoneAssumedMinutes = undefined;
  } else if (draft.zoneAssumedMinutes !== undefined) {
    const minutes = zoneBeside(draft.timeMs, wrapper.timeMs);
    draft.timeMs -= minutes * 60_000;
    draft.zoneAssumedMinutes += minutes;
  }
}

function hasName(attributes: readonly string[], name: string): boolean {
  for (let i = 0; i < attributes.length; i += 2) if (attributes[i] === name) return true;
  return false;
}

const quarterMs = 900_000;
/** A runtime reads a line within this time of its writing. */
const readWithinMs = 60_000;
/** The farthest zones. */
const zoneMsMax = 14 * 3_600_000;

/**
 * A stamp without a zone is some quarters of an hour off from when the runtime read its line: by as many minutes its zone
 * lies east of the one that was assumed. 0 where the two have nothing to do with each other.
 */
function zoneBeside(assumedMs: number, wrapperMs: number): number {
  const aheadMs = assumedMs - wrapperMs;
  const zoneMs = Math.round(aheadMs / quarterMs) * quarterMs;
  if (Math.abs(zoneMs) > zoneMsMax || Math.abs(aheadMs - zoneMs) > readWithinMs) return 0;
  return zoneMs / 60_000;
}
