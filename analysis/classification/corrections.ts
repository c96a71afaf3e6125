import { canonicalText } from './canonical.ts';

/** What a person said is true of a message; '' leaves the question open. */
export interface CorrectionRule {
  text: string;
  /** Template that it was made for; '' for a body. */
  templateId: string;
  severity: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | '';
  category: string;
}

export interface CorrectedClass {
  severity: CorrectionRule['severity'];
  category: string;
}

/**
 * Corrections of one service. One holds for its template, whatever the template's text becomes; for texts that are the
 * same but for variables; and for templates that generalise its text, or are a case of it. The closer comes first, then
 * the later.
 */
export class CorrectionBook {
  readonly #rules: readonly { rule: CorrectionRule; key: string }[];

  /** Oldest first. */
  constructor(rules: readonly CorrectionRule[]) {
    this.#rules = rules.map((rule) => ({ rule, key: canonicalText(rule.text) })).reverse();
  }

  /** Undefined where nobody corrected it. */
  find(templateId: string, text: string): CorrectedClass | undefined {
    if (this.#rules.length === 0) return undefined;
    const key = canonicalText(text);
    const found: CorrectedClass = { severity: '', category: '' };
    const take = ({ severity, category }: CorrectionRule): void => {
      if (found.severity === '') found.severity = severity;
      if (found.category === '') found.category = category;
    };
    for (const { rule, key: own } of this.#rules)
      if ((templateId !== '' && rule.templateId === templateId) || own === key) take(rule);
    for (const { rule, key: own } of this.#rules) if (covers(key, own) || covers(own, key)) take(rule);
    return found.severity === '' && found.category === '' ? undefined : found;
  }
}

const mask = '<*>';

/**
 * Whether a text is a case of a pattern: equal but for what stands at its masks. At least half of the text's letters
 * must be the pattern's own, since `<*> <*>` is a pattern of everything.
 */
export function covers(pattern: string, text: string): boolean {
  const literals = pattern.split(mask);
  if (literals.length === 1) return pattern === text;
  const first = literals[0] as string;
  const last = literals[literals.length - 1] as string;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const literal of literals.slice(1, -1)) {
    const found = text.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return letters(pattern) * 2 >= letters(text) && letters(pattern) > 0;
}

/** UTF-16 units that are no space, punctuation or mask. */
function letters(text: string): number {
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i) | 32;
    if ((c >= 97 && c <= 122) || c > 127) n++;
  }
  return n;
}
