/** A binary heap over members by their load, which changes: the least or the most loaded one is found at once. */
export class MemberHeap {
  private readonly members: number[] = [];
  /** Place of each member in the heap, -1 where it is out. */
  private readonly places: Int32Array;
  private readonly load: Float64Array;
  private readonly sign: number;

  /** `load` is read, not copied: call `update` after it changed. Equal loads go by the smaller index. */
  constructor(members: readonly number[], load: Float64Array, first: 'least' | 'most') {
    this.load = load;
    this.sign = first === 'least' ? 1 : -1;
    this.places = new Int32Array(load.length).fill(-1);
    for (const member of members) {
      this.places[member] = this.members.length;
      this.members.push(member);
      this.rise(this.members.length - 1);
    }
  }

  get size(): number {
    return this.members.length;
  }

  /** The first member; only where `size` is over 0. */
  get top(): number {
    return this.members[0] as number;
  }

  update(member: number): void {
    const place = this.places[member] as number;
    if (place !== -1) this.sink(this.rise(place));
  }

  remove(member: number): void {
    const place = this.places[member] as number;
    if (place === -1) return;
    this.places[member] = -1;
    const last = this.members.pop() as number;
    if (last === member) return;
    this.put(place, last);
    this.sink(this.rise(place));
  }

  private before(a: number, b: number): boolean {
    const difference = ((this.load[a] as number) - (this.load[b] as number)) * this.sign;
    return difference === 0 ? a < b : difference < 0;
  }

  private put(place: number, member: number): void {
    this.members[place] = member;
    this.places[member] = place;
  }

  private rise(place: number): number {
    const member = this.members[place] as number;
    let at = place;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const other = this.members[above] as number;
      if (!this.before(member, other)) break;
      this.put(at, other);
      at = above;
    }
    this.put(at, member);
    return at;
  }

  private sink(place: number): void {
    const member = this.members[place] as number;
    let at = place;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.members.length) break;
      if (
        below + 1 < this.members.length &&
        this.before(this.members[below + 1] as number, this.members[below] as number)
      )
        below++;
      const other = this.members[below] as number;
      if (!this.before(other, member)) break;
      this.put(at, other);
      at = below;
    }
    this.put(at, member);
  }
}
