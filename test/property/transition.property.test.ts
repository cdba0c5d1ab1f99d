import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attempt, NO_TURNS, type Wanted } from '../../packages/emperor/src/core/desired.ts';
import type { VassalEvent } from '../../packages/emperor/src/core/event.ts';
import {
  nextStep,
  nextWake,
  type Seen,
  type Situation,
  type Step,
} from '../../packages/emperor/src/core/plan.ts';
import { generationOf, STOPPED, type VassalState } from '../../packages/emperor/src/core/state.ts';
import { transition } from '../../packages/emperor/src/core/transition.ts';
import { LIFECYCLE, specOf } from '../support/spec-of.ts';

/**
 * One vassal, its keeper and its file as a small world: steps of the plan are carried out by a keeper that may be
 * slow, die, or lose nothing but time; edits, touches, exits and clock jumps come at any moment.
 */
class World {
  state: VassalState = STOPPED;
  attempt: Attempt | undefined;
  wanted: Wanted | undefined;
  keeper: Seen['keeper'] = 'none';
  now = 1_000;
  generation = 0;
  /** Generations that have processes. */
  readonly alive = new Set<number>();
  readonly starts: { at: number; until: number | undefined }[] = [];

  situation(): Situation {
    const seen: Seen = { state: this.state, attempt: this.attempt, keeper: this.keeper };
    return {
      wanted: this.wanted,
      seen,
      neighbours: { startBlocked: false, stopBlocked: false },
      diff: () => ({ kind: 'restart', changed: [] }),
    };
  }

  apply(event: VassalEvent): void {
    this.state = transition(this.state, event, LIFECYCLE, this.now);
  }

  execute(step: Step): void {
    switch (step.do) {
      case 'start':
        return this.start(step.fresh);
      case 'stop':
        return this.apply({ type: 'stop-sent', cause: step.cause });
      case 'kill':
        this.apply({ type: 'kill-sent', cause: step.cause });
        return;
      case 'abandon':
        this.keeper = 'lost';
        return this.apply({ type: 'keeper-lost' });
      case 'reap': {
        this.alive.clear();
        this.keeper = 'none';
        const generation = generationOf(this.state);
        if (generation !== undefined) this.apply({ type: 'gone', generation, jitter: 0.5 });
        return;
      }
      case 'release':
        expect(this.alive.size).toBe(0);
        this.keeper = 'none';
        return;
      case 'settle':
        return this.apply({ type: 'unwanted' });
      case 'replace':
      case 'adjust':
      case 'reload':
      case 'forget':
        return;
    }
  }

  start(fresh: boolean): void {
    const { wanted } = this;
    if (wanted?.spec === undefined || wanted.revision === undefined)
      throw new Error('started without a spec');
    expect(this.alive.size).toBe(0);
    if (this.state.is === 'backing-off' && !fresh)
      this.starts.push({ at: this.now, until: this.state.until });
    this.generation += 1;
    const { spec, revision, stamp, turns } = wanted;
    this.attempt = { spec, revision, stamp, turns, ownerUid: spec.owner.uid };
    this.keeper = 'held';
    this.alive.add(this.generation);
    this.apply({ type: 'start-sent', generation: this.generation, fresh });
  }

  /** Plan until nothing is left to do now. */
  settle(): void {
    for (let turns = 0; turns < 20; turns += 1) {
      this.apply({ type: 'tick' });
      const step = nextStep(this.situation(), this.now);
      if (step === undefined || step.do === 'forget') return;
      this.execute(step);
    }
    throw new Error('the plan does not come to rest');
  }

  /** The app of the newest generation ends, and its keeper says so. */
  end(code: number): void {
    const { generation } = this;
    if (!this.alive.has(generation)) return;
    this.apply({ type: 'exited', generation, at: this.now, exit: { by: 'code', code }, counters: {} });
    this.alive.delete(generation);
    this.apply({ type: 'gone', generation, jitter: 0.5 });
  }

  launched(): void {
    const { generation } = this;
    if (!this.alive.has(generation) || this.state.is !== 'starting') return;
    const pids = { app: 100 + generation, init: 99 };
    this.apply({ type: 'launched', generation, at: this.now, pids, readyAfterMs: 0, failures: 0 });
  }
}

type Deed = (world: World) => void;

const spec = specOf('blog');
const fresh = (revision: string, stamp: string): Wanted => ({
  spec,
  revision,
  ownerUid: 0,
  stamp,
  revoked: false,
  run: true,
  turns: NO_TURNS,
});

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'))
    .map(([revision, stamp]) => (world: World) => {
      world.wanted = fresh(revision, stamp);
    }),
  fc.constant((world: World) => {
    world.wanted = undefined;
  }),
  fc.constant((world: World) => {
    if (world.wanted !== undefined) world.wanted = { ...world.wanted, run: !world.wanted.run };
  }),
  fc.constant((world: World) => world.launched()),
  fc.integer({ min: 0, max: 1 }).map((code) => (world: World) => world.end(code)),
  fc.constant((world: World) => {
    if (world.keeper !== 'held') return;
    world.keeper = 'lost';
    world.apply({ type: 'keeper-lost' });
  }),
  fc.integer({ min: 1, max: 120_000 }).map((ms) => (world: World) => {
    world.now += ms;
  }),
);

test('whatever happens there is at most one generation, no start before its time, and the plan comes to rest', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
      const world = new World();
      for (const one of deeds) {
        one(world);
        world.settle();
        expect(world.alive.size).toBeLessThanOrEqual(1);
      }
      for (const { at, until } of world.starts) expect(at).toBeGreaterThanOrEqual(until ?? 0);
    }),
    { numRuns: 500 },
  );
});

test('once things calm down a wanted vassal runs its newest revision, and an unwanted one is gone', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), fc.boolean(), (deeds, isWanted) => {
      const world = new World();
      for (const one of deeds) {
        one(world);
        world.settle();
      }
      world.wanted = isWanted ? fresh('last', '9') : undefined;
      for (let round = 0; round < 30; round += 1) {
        world.settle();
        world.launched();
        if (world.state.is === 'stopping') world.end(0);
        const wake = nextWake(world.situation());
        if (wake !== undefined) world.now = Math.max(world.now, wake);
      }
      world.settle();
      if (isWanted) expect([world.state.is, world.attempt?.revision]).toEqual(['running', 'last']);
      else expect([nextStep(world.situation(), world.now), world.alive.size]).toEqual([{ do: 'forget' }, 0]);
    }),
    { numRuns: 300 },
  );
});

test('n quick exits always end in failed when restart-max is n - 1', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), (restartMax) => {
      const rule = { ...LIFECYCLE, restartMax };
      let state: VassalState = STOPPED;
      let now = 0;
      for (let generation = 1; generation <= restartMax + 1; generation += 1) {
        expect(state.is).not.toBe('failed');
        if (state.is === 'backing-off') now = state.until;
        const events: VassalEvent[] = [
          { type: 'start-sent', generation, fresh: false },
          { type: 'launched', generation, at: now, pids: { app: 2, init: 1 }, readyAfterMs: 0, failures: 0 },
          {
            type: 'exited',
            generation,
            at: now + 5,
            exit: { by: 'signal', signal: 'SIGSEGV' },
            counters: {},
          },
          { type: 'gone', generation, jitter: 0 },
        ];
        for (const event of events) state = transition(state, event, rule, now);
      }
      expect(state.is).toBe('failed');
    }),
  );
});
