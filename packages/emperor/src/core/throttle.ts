import type { VassalName } from '@emperor/common/name';

/** What one owner may have of the slots, as a fraction: launches that hang on purpose leave the rest to others. */
const OWNERS_PART = 4;
const ROOT = 0;

type Waiting = { readonly name: VassalName; readonly owner: number };

/**
 * How many launches may be under way at once, and whose turn it is: the owner with the fewest launches under way
 * first, among those the one that waited longest since its last turn. So a boot of 1,000 vassals of one tenant
 * leaves a slot for the next tenant at every turn; and no owner but root ever has more than a part of them.
 *
 * INVARIANT: a name is waiting at most once and under way at most once.
 */
export class Throttle {
  readonly #slots: number;
  readonly #waiting = new Map<number, Map<VassalName, Waiting>>();
  readonly #waitingFor = new Map<VassalName, number>();
  readonly #underWay = new Map<VassalName, number>();
  readonly #load = new Map<number, number>();
  readonly #lastTurn = new Map<number, number>();
  #turn = 0;

  constructor(slots: number) {
    this.#slots = slots;
  }

  /** Nobody is under way or waiting. */
  get isIdle(): boolean {
    return this.#underWay.size === 0 && this.#waitingFor.size === 0;
  }

  /** Ask for a turn; asking twice is asking once. */
  ask(name: VassalName, owner: number): void {
    if (this.#underWay.has(name)) return;
    const mine = this.#waiting.get(owner) ?? new Map<VassalName, Waiting>();
    if (this.#waitingFor.get(name) !== owner) this.withdraw(name);
    if (!mine.has(name)) mine.set(name, { name, owner });
    this.#waiting.set(owner, mine);
    this.#waitingFor.set(name, owner);
  }

  /** Whoever may start now; the caller must `done` each of them later. */
  admit(): readonly VassalName[] {
    const admitted: VassalName[] = [];
    while (this.#underWay.size < this.#slots) {
      const next = this.#next();
      if (next === undefined) break;
      this.#take(next);
      admitted.push(next.name);
    }
    return admitted;
  }

  /** The launch of `name` ended, well or not. */
  done(name: VassalName): void {
    const owner = this.#underWay.get(name);
    if (owner === undefined) return;
    this.#underWay.delete(name);
    const load = (this.#load.get(owner) ?? 1) - 1;
    if (load > 0) this.#load.set(owner, load);
    else this.#load.delete(owner);
    if (load <= 0 && !this.#waiting.has(owner)) this.#lastTurn.delete(owner);
  }

  /** `name` no longer wants a turn. */
  withdraw(name: VassalName): void {
    const owner = this.#waitingFor.get(name);
    if (owner !== undefined) this.#unqueue(name, owner);
  }

  #next(): Waiting | undefined {
    const owners = [...this.#waiting.keys()].filter((owner) => this.#hasShare(owner));
    const rank = (owner: number) => [this.#load.get(owner) ?? 0, this.#lastTurn.get(owner) ?? -1] as const;
    let best: number | undefined;
    for (const owner of owners) {
      if (best === undefined || isBefore(rank(owner), rank(best))) best = owner;
    }
    return best === undefined ? undefined : this.#waiting.get(best)?.values().next().value;
  }

  #hasShare(owner: number): boolean {
    const most = owner === ROOT ? this.#slots : Math.max(1, Math.floor(this.#slots / OWNERS_PART));
    return (this.#load.get(owner) ?? 0) < most;
  }

  #take({ name, owner }: Waiting): void {
    this.#unqueue(name, owner);
    this.#underWay.set(name, owner);
    this.#load.set(owner, (this.#load.get(owner) ?? 0) + 1);
    this.#turn += 1;
    this.#lastTurn.set(owner, this.#turn);
  }

  #unqueue(name: VassalName, owner: number): void {
    this.#waitingFor.delete(name);
    const mine = this.#waiting.get(owner);
    if (mine?.delete(name) === true && mine.size === 0) this.#waiting.delete(owner);
  }
}

function isBefore(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] !== b[0] ? a[0] < b[0] : a[1] < b[1];
}
