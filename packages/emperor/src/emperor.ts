import type { Clock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import type { VassalName } from '@emperor/common/name';
import type { LifecycleSpec } from '@emperor/vassal/spec/spec';
import type { VassalEvent } from './core/event.ts';
import { cyclic, dependents, type Edges } from './core/order.ts';
import { type Diff, nextStep, nextWake, type Situation, type Step } from './core/plan.ts';
import { Throttle } from './core/throttle.ts';
import { transition } from './core/transition.ts';
import { type Executors, execute } from './effects/executors.ts';
import { type Held, newHeld, ruleOf, seenOf, wantedOf } from './held.ts';
import type { MemoryStore } from './store/memory.ts';

const HOLD_AFTER_FAILURE_MS = 1_000;
/** A launch that is under way for longer hangs: it costs nothing and gives its turn to others. */
const LONGEST_TURN_MS = 2_000;

export type EmperorParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MemoryStore;
  readonly diff: Diff;
  /** The lifecycle options as they are when nothing was written. */
  readonly defaults: LifecycleSpec;
  /** Launches under way at once. */
  readonly slots: number;
  readonly random: () => number;
};

export type Change = { readonly held: Held; readonly event: VassalEvent };

/**
 * The loop: something changed → mark → plan → execute → record. Wake-ups carry no meaning beyond "look again at this
 * vassal"; a pass costs what is marked, not what exists.
 *
 * INVARIANTS: one step of a vassal at a time (`busy`); every change of a state goes through `apply`; nothing here
 * throws because of one vassal: a bug in its plan or step becomes its `trouble`.
 */
export class Emperor {
  readonly #parts: EmperorParts;
  readonly #vassals = new Map<VassalName, Held>();
  readonly #marked = new Set<Held>();
  readonly #throttle: Throttle;
  readonly #listeners = new Set<(change: Change) => void>();
  #executors: Executors | undefined;
  #turnDue = false;
  #closing = false;
  #edges: Edges = new Map();
  #dependents: ReadonlyMap<VassalName, readonly VassalName[]> = new Map();
  #cyclic: ReadonlySet<VassalName> = new Set();
  /** Files are being read: who waits for whom is not known yet. */
  #unordered = false;

  constructor(parts: EmperorParts) {
    this.#parts = parts;
    this.#throttle = new Throttle(parts.slots);
  }

  /** From now on steps are executed. Before, events are only recorded: adoption comes first. */
  begin(executors: Executors): void {
    this.#executors = executors;
    this.markAll();
  }

  get vassals(): ReadonlyMap<VassalName, Held> {
    return this.#vassals;
  }

  get hasBegun(): boolean {
    return this.#executors !== undefined;
  }

  /** Are launches under way or waiting for their turn? */
  get isLaunching(): boolean {
    return !this.#throttle.isIdle;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  /** Names whose start-after runs in a circle. */
  get cyclic(): ReadonlySet<VassalName> {
    return this.#cyclic;
  }

  /** The vassal of this name, made when it is new. */
  hold(name: VassalName): Held {
    const known = this.#vassals.get(name);
    if (known !== undefined) return known;
    const held = newHeld(name, this.#parts.store.load(name), this.#parts.clock.now());
    this.#vassals.set(name, held);
    return held;
  }

  /** Every trace of it in memory goes. */
  drop(held: Held): void {
    held.wake?.();
    this.#marked.delete(held);
    this.#throttle.done(held.name);
    this.#throttle.withdraw(held.name);
    this.#vassals.delete(held.name);
    for (const waiter of held.waiters) waiter();
  }

  /** Stop everything, in reverse start-after order. */
  close(): void {
    this.#closing = true;
    this.markAll();
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Look again at this vassal. */
  mark(held: Held): void {
    this.#marked.add(held);
    if (this.#turnDue || this.#executors === undefined) return;
    this.#turnDue = true;
    queueMicrotask(() => this.#turn());
  }

  markAll(): void {
    for (const held of this.#vassals.values()) this.mark(held);
  }

  /** Files are about to be read: whoever starts after others waits for `reorder`. */
  unsettleOrder(): void {
    this.#unordered = true;
  }

  /** The files changed: who waits for whom may have too. */
  reorder(): void {
    this.#unordered = false;
    const edges = new Map<VassalName, readonly VassalName[]>();
    for (const held of this.#vassals.values()) {
      const befores = startAfterOf(held).filter((name) => this.#mayWaitFor(held, name));
      if (befores.length > 0) edges.set(held.name, befores);
    }
    this.#edges = edges;
    this.#cyclic = cyclic(edges);
    this.#dependents = dependents(edges);
    for (const held of this.#vassals.values()) if (startAfterOf(held).length > 0) this.mark(held);
  }

  /** Names in `start-after` that are not this owner's to wait for: a wait would order their stop, too. */
  foreignBefores(held: Held): readonly VassalName[] {
    return startAfterOf(held).filter((name) => !this.#mayWaitFor(held, name));
  }

  /** Record what happened to a vassal and look at it again. */
  apply(held: Held, event: VassalEvent): void {
    const { clock } = this.#parts;
    const now = clock.now();
    const from = held.state;
    const to = transition(from, event, ruleOf(held, this.#parts.defaults), now);
    this.mark(held);
    if (to === from) return;
    held.state = to;
    if (from.is !== to.is) {
      held.history.add({
        wallMs: clock.wall(),
        event,
        from,
        to,
        lastedMs: now - from.since,
      });
      this.#changed(held, event);
    }
  }

  /** Names in `start-after` that exist, are wanted and are not ready yet. */
  waitsFor(held: Held): readonly VassalName[] {
    if (this.#cyclic.has(held.name)) return [];
    return (this.#edges.get(held.name) ?? []).filter((name) => {
      const other = this.#vassals.get(name);
      return (
        other !== undefined && wantedOf(other, this.#closing)?.run === true && other.state.is !== 'running'
      );
    });
  }

  /** A name that nobody has is nobody's secret: it counts as foreign to a tenant as well. */
  #mayWaitFor(held: Held, name: VassalName): boolean {
    const owner = ownerOf(held);
    const other = this.#vassals.get(name);
    return owner === 0 || (other !== undefined && ownerOf(other) === owner);
  }

  #changed(held: Held, event: VassalEvent): void {
    for (const listener of this.#listeners) listener({ held, event });
    for (const name of [
      ...(this.#dependents.get(held.name) ?? []),
      ...(this.#closing ? (this.#edges.get(held.name) ?? []) : []),
    ]) {
      const other = this.#vassals.get(name);
      if (other !== undefined) this.mark(other);
    }
  }

  #turn(): void {
    this.#turnDue = false;
    const marked = [...this.#marked];
    this.#marked.clear();
    for (const held of marked) this.#lookAt(held);
    this.#admit();
  }

  #lookAt(held: Held): void {
    if (this.#vassals.get(held.name) !== held) return;
    try {
      if (held.state.is === 'starting') this.#tick(held);
      const now = this.#parts.clock.now();
      const situation = this.#situation(held);
      const step = held.busy || now < held.holdUntil ? undefined : nextStep(situation, now);
      const turnEndsAt = turnEndOf(held, now);
      if (turnEndsAt === undefined) this.#throttle.done(held.name);
      if (step?.do === 'start') this.#throttle.ask(held.name, held.file?.ownerUid ?? 0);
      else this.#throttle.withdraw(held.name);
      if (step !== undefined && step.do !== 'start') this.#execute(held, step);
      this.#setWake(held, earliest(nextWake(situation), turnEndsAt), now);
    } catch (error) {
      this.#blame(held, error);
    }
    for (const waiter of held.waiters) waiter();
  }

  #tick(held: Held): void {
    this.apply(held, { type: 'tick' });
    this.#marked.delete(held);
  }

  #situation(held: Held): Situation {
    return {
      wanted: wantedOf(held, this.#closing),
      seen: seenOf(held),
      neighbours: { startBlocked: this.#isStartBlocked(held), stopBlocked: this.#isStopBlocked(held) },
      diff: this.#parts.diff,
    };
  }

  #isStartBlocked(held: Held): boolean {
    return (this.#unordered && startAfterOf(held).length > 0) || this.waitsFor(held).length > 0;
  }

  #isStopBlocked(held: Held): boolean {
    if (!this.#closing || this.#cyclic.has(held.name)) return false;
    return (this.#dependents.get(held.name) ?? []).some((name) => {
      const other = this.#vassals.get(name);
      return other !== undefined && 'generation' in other.state && !this.#cyclic.has(name);
    });
  }

  #admit(): void {
    for (const name of this.#throttle.admit()) {
      const held = this.#vassals.get(name);
      if (held === undefined) {
        this.#throttle.done(name);
        continue;
      }
      const step = held.busy ? undefined : nextStep(this.#situation(held), this.#parts.clock.now());
      if (step?.do === 'start') this.#execute(held, step);
      else this.#throttle.done(name);
    }
  }

  #execute(held: Held, step: Step): void {
    const executors = this.#executors;
    if (executors === undefined) return;
    held.busy = true;
    execute(executors, held, step).then(
      () => {
        held.trouble = undefined;
        this.#finish(held);
      },
      (error: unknown) => {
        this.#blame(held, error);
        this.#finish(held);
      },
    );
  }

  #finish(held: Held): void {
    held.busy = false;
    this.mark(held);
  }

  /** The boundary: whatever went wrong is this vassal's trouble and is tried again. */
  #blame(held: Held, error: unknown): void {
    const { clock, log } = this.#parts;
    held.trouble = describeError(error);
    held.holdUntil = clock.now() + HOLD_AFTER_FAILURE_MS;
    const stack = error instanceof Error && error.name !== 'EmperorError' ? error.stack : undefined;
    log.error('step failed', { vassal: held.name, error: held.trouble, stack });
  }

  #setWake(held: Held, at: number | undefined, now: number): void {
    held.wake?.();
    const next = held.holdUntil > now ? held.holdUntil : at;
    held.wake =
      next === undefined
        ? undefined
        : this.#parts.clock.after(Math.max(next - now, 0), () => this.mark(held));
  }
}

function startAfterOf(held: Held): readonly VassalName[] {
  return held.file?.good?.spec.lifecycle.startAfter ?? [];
}

function ownerOf(held: Held): number | undefined {
  return held.file?.ownerUid ?? held.attempt?.ownerUid;
}

/** When a launch gives its turn back at the latest; undefined when none is under way, or has been for too long. */
function turnEndOf({ state }: Held, now: number): number | undefined {
  const isLaunching = state.is === 'starting' && state.pids === undefined;
  const endsAt = state.since + LONGEST_TURN_MS;
  return isLaunching && now < endsAt ? endsAt : undefined;
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
