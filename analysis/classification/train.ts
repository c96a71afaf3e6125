import { extract, type Features } from './features.ts';
import type { Model } from './model.ts';
import { severityLabelOf, severityLabels } from './severity-label.ts';
import { type Guide, withGuide } from './task-model.ts';
import { type CountedTemplate, type TaskPlan, trainTask } from './train-task.ts';

/** A text with what is true of it. A severity that no one knows, and empty categories, are not labels. */
export interface LabelledRecord {
  body: string;
  severity?: string | undefined;
  category?: string | undefined;
}

/** Distinct templates that one model is trained on; later ones are left out. Bounds time and size of a model. */
export const trainingTemplatesMax = 20_000;
/** Distinct category names that one model can tell apart. */
export const trainingCategoriesMax = 256;

/** For a model that stands alone. */
const basePlan: TaskPlan = { poolWeights: [0.5, 0.4, 0.4, 0.4], balance: 0, background: 0, calibrate: false };
/** Severities keep their natural shares, since most messages are INFO; the base's words back up what is unheard of. */
const severityPlan: TaskPlan = { poolWeights: [0.5, 0.5, 0.5, 0.5], balance: 0, background: 0.2, calibrate: true };
/** Categories are raised towards equal shares: a person who labels two messages "Billing" wants to see the third. */
const categoryPlan: TaskPlan = { poolWeights: [0.5, 0.25, 0.25, 0.5], balance: 0.5, background: 0, calibrate: true };

/** Labelled records folded into templates. */
class Collected {
  readonly #templates = new Map<string, { features: Features; counts: Map<string, number>; total: number }>();

  get size(): number {
    return this.#templates.size;
  }

  add(features: Features, label: string): void {
    let template = this.#templates.get(features.key);
    if (template === undefined) {
      if (this.#templates.size >= trainingTemplatesMax) return;
      template = { features, counts: new Map(), total: 0 };
      this.#templates.set(features.key, template);
    }
    template.counts.set(label, (template.counts.get(label) ?? 0) + 1);
    template.total++;
  }

  templates(guide?: Guide): CountedTemplate[] {
    const all = [...this.#templates.values()];
    return guide === undefined ? all : all.map((t) => ({ ...t, features: withGuide(t.features, guide) }));
  }
}

interface Labelled {
  severities: Collected;
  categories: Collected;
  categoryNames: string[];
}

function collect(records: Iterable<LabelledRecord>): Labelled {
  const severities = new Collected();
  const categories = new Collected();
  const names = new Set<string>();
  for (const { body, severity, category } of records) {
    const features = extract(body);
    const label = severity === undefined ? undefined : severityLabelOf(severity);
    if (label !== undefined) severities.add(features, label);
    if (category === undefined || category === '') continue;
    if (names.size < trainingCategoriesMax) names.add(category);
    if (names.has(category)) categories.add(features, category);
  }
  return { severities, categories, categoryNames: [...names] };
}

/** Trains a model that stands alone. Without labels it finds every severity alike, and one category without a name. */
export function trainAlone(records: Iterable<LabelledRecord>): Model {
  const { severities, categories, categoryNames } = collect(records);
  return {
    severity: trainTask(severities.templates(), [], severityLabels, basePlan),
    category: trainTask(categories.templates(), [], categoryNames.length > 0 ? categoryNames : [''], basePlan),
    guide: undefined,
  };
}

/**
 * Trains on labelled records, with a base model's opinions as features, and with the material that the base was made
 * of as a background for severities (its category names are its own). A question without a label keeps the base's answer.
 */
export function trainOver(records: Iterable<LabelledRecord>, base: Model, material: Iterable<LabelledRecord>): Model {
  const { severities, categories, categoryNames } = collect(records);
  // A model that was itself trained over a base passes that base on: opinions are asked one level deep.
  const guide: Guide = base.guide ?? { severity: base.severity, category: base.category };
  const severity =
    severities.size > 0
      ? trainTask(
          severities.templates(guide),
          collect(material).severities.templates(guide),
          severityLabels,
          severityPlan,
        )
      : base.severity;
  const category =
    categories.size > 0 ? trainTask(categories.templates(guide), [], categoryNames, categoryPlan) : base.category;
  return { severity, category, guide };
}
