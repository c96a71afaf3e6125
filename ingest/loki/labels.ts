/** What a Loki stream's labels say: service, resource, level. */
import { LogweirError, severityNumberOf } from '#protocol/mod.ts';
import { conventionalLabel, levelLabels, serviceLabels } from '../mapping/conventions.ts';
import { hasKey } from '../mapping/object.ts';
import { rememberOften, type Resource, resourceOf } from '../mapping/resource.ts';

export interface LabelFacts extends Resource {
  /** False where no label names the service: a line may then. */
  namesService: boolean;
  severityText: string;
  severityNumber: number;
}

const known = rememberOften<LabelFacts>();
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

/** @param labels flat key, value list; `tenant`: X-Scope-OrgID, '' = none */
export function factsOfLabels(labels: readonly string[], tenant: string): LabelFacts {
  return known.get(`${tenant}\0${labels.join('\0')}`, () => {
    const value = (names: readonly string[]): { name: string; text: string } | undefined => {
      for (const name of names)
        for (let i = 0; i < labels.length; i += 2)
          if (labels[i] === name && labels[i + 1] !== '') return { name, text: labels[i + 1] as string };
      return undefined;
    };
    const service = value(serviceLabels);
    const level = value(levelLabels);
    const pairs: string[] = [];
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i] as string;
      if (name === level?.name) continue;
      const to = conventionalLabel(name);
      pairs.push(to !== name && hasKey(pairs, to) ? name : to, labels[i + 1] as string);
    }
    if (tenant !== '') pairs.push('loki.tenant', tenant);
    const resource = resourceOf(pairs, service?.text);
    return {
      ...resource,
      namesService: service !== undefined,
      severityText: level?.text ?? '',
      severityNumber: severityNumberOf(level?.text ?? ''),
    };
  });
}

/**
 * `{app="shop", level="warn"}` as a flat list. Values are quoted as Go quotes them.
 * @throws LogweirError REQUEST_INVALID
 */
export function parseLabels(text: string): string[] {
  const labels: string[] = [];
  let at = 0;
  const space = (): void => {
    while (text[at] === ' ') at++;
  };
  const expect = (sign: string): void => {
    if (text[at] !== sign)
      throw new LogweirError(
        'REQUEST_INVALID',
        `Labels are not as Loki writes them: expected ${sign} at character ${at} of ${text.slice(0, 100)}.`,
        'Send labels as {name="value", …}.',
      );
    at++;
  };
  space();
  expect('{');
  for (space(); text[at] !== '}'; space()) {
    if (labels.length > 0) {
      expect(',');
      space();
    }
    const start = at;
    while (at < text.length && text[at] !== '=' && text[at] !== ' ') at++;
    const name = text.slice(start, at);
    space();
    expect('=');
    space();
    expect('"');
    let value = '';
    for (let from = at; ; ) {
      if (at >= text.length) expect('"');
      if (text[at] === '"') {
        value += text.slice(from, at++);
        break;
      }
      if (text[at] !== '\\') {
        at++;
        continue;
      }
      value += text.slice(from, at);
      const digits = text[at + 1] === 'u' ? 4 : text[at + 1] === 'x' ? 2 : 0;
      if (digits === 0) value += escapes[text[at + 1] ?? ''] ?? text[at + 1] ?? '';
      else value += String.fromCharCode(Number.parseInt(text.slice(at + 2, at + 2 + digits), 16) || 0xfffd);
      at += 2 + digits;
      from = at;
    }
    labels.push(name, value);
  }
  return labels;
}
