/** Columns that analysis adds beside a batch. Hot path: a record costs one index, what it stands for is worked out once. */
import type { Dictionary, Enrichment } from '#protocol/mod.ts';
import type { SlotAnswer } from './actor.ts';

/** Values of a column in order of first use, and which of them each answer has. */
class ColumnBuilder {
  private readonly values: string[] = [];
  private readonly ids = new Map<string, number>();
  private readonly idOfAnswer: number[] = [];

  push(value: string): void {
    let id = this.ids.get(value);
    if (id === undefined) {
      id = this.values.length;
      this.values.push(value);
      this.ids.set(value, id);
    }
    this.idOfAnswer.push(id);
  }

  build(rows: Uint16Array): Dictionary {
    const ids = Uint16Array.from(this.idOfAnswer);
    const index = new Uint16Array(rows.length);
    for (let row = 0; row < rows.length; row++) index[row] = ids[rows[row] as number] as number;
    return { values: this.values, index: new Uint8Array(index.buffer) };
  }
}

export class EnrichmentBuilder {
  /** Which answer each row has. */
  private readonly rows: Uint16Array;
  private row = 0;
  private readonly answers: SlotAnswer[] = [];
  private readonly templateId = new ColumnBuilder();
  private readonly category = new ColumnBuilder();
  private readonly severityText = new ColumnBuilder();

  constructor(rows: number) {
    this.rows = new Uint16Array(rows);
  }

  add(answer: SlotAnswer): void {
    if (answer.builder !== this) this.register(answer);
    this.rows[this.row++] = answer.number;
  }

  private register(answer: SlotAnswer): void {
    const { classification } = answer;
    answer.builder = this;
    answer.number = this.answers.length;
    this.answers.push(answer);
    this.templateId.push(answer.templateId);
    this.category.push(classification.category);
    this.severityText.push(classification.severity);
  }

  build(): Enrichment {
    const { rows, answers } = this;
    const numbers = Uint8Array.from(answers, ({ classification }) => classification.severityNumber);
    const confidences = Float32Array.from(answers, ({ classification }) => classification.confidence);
    const severityNumber = new Uint8Array(rows.length);
    const confidence = new Float32Array(rows.length);
    for (let row = 0; row < rows.length; row++) {
      const answer = rows[row] as number;
      severityNumber[row] = numbers[answer] as number;
      confidence[row] = confidences[answer] as number;
    }
    return {
      templateId: this.templateId.build(rows),
      category: this.category.build(rows),
      predictedSeverityText: this.severityText.build(rows),
      predictedSeverityNumber: severityNumber,
      confidence: new Uint8Array(confidence.buffer),
    };
  }
}
