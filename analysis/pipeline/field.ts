/** Fields of a record by the names that steps use: `body`, `service`, `severity`, `trace_id`, `span_id`, `resource.<name>`, and attributes. */
import { cutService } from '#analysis/formats/mod.ts';
import { severityClass, severityNumberOf } from '#protocol/mod.ts';
import type { Item } from './item.ts';
import { wrong } from './reading.ts';

export interface FieldRef {
  name: string;
  isBody: boolean;
  /** Undefined where the record has none. */
  get(item: Item): string | undefined;
  set(item: Item, value: string): void;
  /** Body and service become empty and unknown, others are gone. */
  remove(item: Item): void;
}

const nameCharactersMax = 256;
const hex = /^[0-9a-f]+$/i;
const nothing = (text: string): string | undefined => (text === '' ? undefined : text);

const own: Readonly<Record<string, Omit<FieldRef, 'name' | 'isBody'>>> = {
  body: {
    get: (item) => item.body,
    set: (item, value) => {
      item.body = value;
    },
    remove: (item) => {
      item.body = '';
    },
  },
  service: {
    get: (item) => nothing(item.service),
    set: (item, value) => {
      if (value === '') return;
      item.service = cutService(value);
      item.changed = true;
    },
    remove: (item) => {
      item.service = 'unknown_service';
      item.changed = true;
    },
  },
  severity: {
    get: (item) =>
      nothing(item.severityText) ?? (item.severityNumber > 0 ? severityClass(item.severityNumber) : undefined),
    set: setSeverity,
    remove: (item) => {
      item.severityText = '';
      item.severityNumber = 0;
      item.changed = true;
    },
  },
  trace_id: {
    get: (item) => nothing(item.traceId),
    set: (item, value) => {
      item.traceId = idOf(value, 32);
      item.changed = true;
    },
    remove: (item) => {
      item.traceId = '';
      item.changed = true;
    },
  },
  span_id: {
    get: (item) => nothing(item.spanId),
    set: (item, value) => {
      item.spanId = idOf(value, 16);
      item.changed = true;
    },
    remove: (item) => {
      item.spanId = '';
      item.changed = true;
    },
  },
};

export function setSeverity(item: Item, value: string): void {
  item.severityText = value;
  item.severityNumber = severityNumberOf(value);
  item.changed = true;
}

/** Lower-case hex of that length, '' for anything else. */
function idOf(value: string, digits: number): string {
  const id = value.replaceAll('-', '').toLowerCase();
  return hex.test(id) && (id.length === digits || (digits === 32 && id.length === 16)) ? id.padStart(digits, '0') : '';
}

/** @throws LogweirError CONFIG_INVALID */
export function fieldRef(name: string, path: string): FieldRef {
  if (name.length > nameCharactersMax)
    throw wrong(path, `has ${name.length} characters`, `A field's name has at most ${nameCharactersMax}.`);
  const known = Object.hasOwn(own, name) ? own[name] : undefined;
  if (known !== undefined) return { name, isBody: name === 'body', ...known };
  if (name.startsWith('resource.')) {
    const key = name.slice('resource.'.length);
    if (key === 'service.name') return fieldRef('service', path);
    return {
      name,
      isBody: false,
      get: (item) => item.resourceAttribute(key),
      set: (item, value) => item.setResource(key, value),
      remove: (item) => item.removeResource(key),
    };
  }
  const key = name.startsWith('attributes.') ? name.slice('attributes.'.length) : name;
  return {
    name: key,
    isBody: false,
    get: (item) => item.attribute(key),
    set: (item, value) => item.setAttribute(key, value),
    remove: (item) => item.removeAttribute(key),
  };
}
