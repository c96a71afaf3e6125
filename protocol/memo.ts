/** A pure memo that forgets everything when it is full: it changes no answer, but gives the same object for the same key. */
export class Memo<T> {
  private readonly known = new Map<string, T>();
  private readonly most: number;
  private readonly charactersMax: number;

  /**
   * @param most keys remembered
   * @param charactersMax of a key; for longer ones the value is made each time
   */
  constructor(most: number, charactersMax = Number.POSITIVE_INFINITY) {
    this.most = most;
    this.charactersMax = charactersMax;
  }

  get(key: string, make: () => T): T {
    if (key.length > this.charactersMax) return make();
    let value = this.known.get(key);
    if (value === undefined) {
      value = make();
      if (this.known.size >= this.most) this.known.clear();
      this.known.set(key, value);
    }
    return value;
  }
}
