import { describe, expect, test } from 'vitest';
import type { VassalEvent } from '../../../../packages/emperor/src/core/event.ts';
import { STOPPED, type VassalState } from '../../../../packages/emperor/src/core/state.ts';
import { transition } from '../../../../packages/emperor/src/core/transition.ts';
import { LIFECYCLE } from '../../../support/spec-of.ts';

const pids = { app: 12, init: 11 };
const launched = (generation: number): VassalEvent => launchedReady(generation, 0);
const launchedReady = (generation: number, readyAfterMs: number | undefined): VassalEvent => ({
  type: 'launched',
  generation,
  at: 100,
  pids,
  readyAfterMs,
  failures: 0,
});
const exited = (generation: number, at: number, code = 1): VassalEvent => ({
  type: 'exited',
  generation,
  at,
  exit: { by: 'code', code },
  counters: {},
});
const gone = (generation: number): VassalEvent => ({ type: 'gone', generation, jitter: 0 });

function after(events: readonly VassalEvent[], rule = LIFECYCLE, now = 100): VassalState {
  return events.reduce((state: VassalState, event) => transition(state, event, rule, now), STOPPED);
}

const started: readonly VassalEvent[] = [{ type: 'start-sent', generation: 1, fresh: true }, launched(1)];

describe('coming up', () => {
  test('a launch whose exec is proof enough is running', () => {
    expect(after(started)).toMatchObject({ is: 'running', generation: 1, since: 100, pids });
  });

  test('a launch that needs proof is starting until the proof comes', () => {
    const waiting = after([{ type: 'start-sent', generation: 1, fresh: true }, launchedReady(1, undefined)]);

    expect(waiting).toMatchObject({ is: 'starting', readyBy: 60_100 });
    expect(transition(waiting, { type: 'ready', generation: 1, at: 150 }, LIFECYCLE, 150)).toMatchObject({
      is: 'running',
      since: 150,
    });
  });

  test('a delay makes it running at its time, not before', () => {
    const waiting = after([{ type: 'start-sent', generation: 1, fresh: true }, launchedReady(1, 2_000)]);

    expect(transition(waiting, { type: 'tick' }, LIFECYCLE, 2_099).is).toBe('starting');
    expect(transition(waiting, { type: 'tick' }, LIFECYCLE, 2_100)).toMatchObject({
      is: 'running',
      since: 2_100,
    });
  });

  test('readiness of another generation means nothing', () => {
    const waiting = after([{ type: 'start-sent', generation: 2, fresh: true }, launchedReady(2, undefined)]);

    expect(transition(waiting, { type: 'ready', generation: 1, at: 150 }, LIFECYCLE, 150)).toBe(waiting);
  });

  test('a launch that was not ours is adopted with its failures', () => {
    const event = { ...launched(7), failures: 4 } as VassalEvent;

    expect(after([event])).toMatchObject({ is: 'running', generation: 7, failures: 4 });
  });

  test('EXTEND_TIMEOUT_USEC moves the deadline, ten minutes at most', () => {
    const waiting = after([{ type: 'start-sent', generation: 1, fresh: true }, launchedReady(1, undefined)]);
    const extended = transition(waiting, { type: 'extend', generation: 1, byMs: 1e12 }, LIFECYCLE, 100);

    expect(extended).toMatchObject({ is: 'starting', readyBy: 600_100 });
  });
});

describe('ending', () => {
  test('an exit waits for `gone` before anything else', () => {
    expect(after([...started, exited(1, 200)])).toMatchObject({
      is: 'stopping',
      cause: 'exit',
      killed: true,
    });
  });

  test('the first quick exit is replaced at once, the next ones wait longer and longer', () => {
    let state: VassalState = STOPPED;
    const waits: number[] = [];
    for (let generation = 1; generation <= 5; generation += 1) {
      for (const event of [
        { type: 'start-sent', generation, fresh: false } as const,
        launched(generation),
        exited(generation, 200),
        gone(generation),
      ]) {
        state = transition(state, event, LIFECYCLE, 200);
      }
      if (state.is === 'backing-off') waits.push(state.until - 200);
    }

    expect(waits).toEqual([0, 100, 200, 400, 800]);
  });

  test('being up for the stable time forgives', () => {
    const tired: VassalState = {
      is: 'running',
      since: 0,
      generation: 9,
      failures: 6,
      pids,
      heardAt: undefined,
    };
    const end = transition(tired, exited(9, 10_000), LIFECYCLE, 10_000);

    expect(transition(end, gone(9), LIFECYCLE, 10_000)).toMatchObject({
      is: 'backing-off',
      failures: 1,
      until: 10_000,
    });
  });

  test('restart-max gives up', () => {
    const rule = { ...LIFECYCLE, restartMax: 1 };
    const once = after([...started, exited(1, 200), gone(1)], rule);
    const twice = [
      { type: 'start-sent', generation: 2, fresh: false } as const,
      launched(2),
      exited(2, 300),
      gone(2),
    ];

    expect(once.is).toBe('backing-off');
    expect(twice.reduce((state, event) => transition(state, event, rule, 300), once)).toMatchObject({
      is: 'failed',
      last: { by: 'exit' },
    });
  });

  test.each([
    ['never', 0, 'stopped'],
    ['never', 1, 'stopped'],
    ['on-failure', 0, 'stopped'],
    ['on-failure', 1, 'backing-off'],
    ['always', 0, 'backing-off'],
  ] as const)('restart = %s after code %i is %s', (restart, code, expected) => {
    expect(after([...started, exited(1, 200, code), gone(1)], { ...LIFECYCLE, restart }).is).toBe(expected);
  });

  test('a stop that was asked for ends in stopped whatever the exit', () => {
    const events: VassalEvent[] = [
      ...started,
      { type: 'stop-sent', cause: 'asked' },
      exited(1, 200),
      gone(1),
    ];

    expect(after(events)).toMatchObject({ is: 'stopped', finished: false });
  });

  test('not being ready in time counts as a failure', () => {
    const events: VassalEvent[] = [
      { type: 'start-sent', generation: 1, fresh: true },
      launchedReady(1, undefined),
      { type: 'stop-sent', cause: 'not-ready' },
      exited(1, 200, 0),
      gone(1),
    ];

    expect(after(events, { ...LIFECYCLE, restart: 'on-failure' })).toMatchObject({
      is: 'backing-off',
      failures: 1,
    });
  });

  test('a launch that fails waits like any quick end', () => {
    const failure = { stage: 'exec', errno: 2, what: '/no/such' } as const;
    const events: VassalEvent[] = [
      { type: 'start-sent', generation: 1, fresh: true },
      { type: 'launch-failed', generation: 1, failure, jitter: 0 },
    ];

    expect(after(events)).toMatchObject({ is: 'backing-off', failures: 1, last: { by: 'launch', failure } });
  });

  test('a dead keeper ends the vassal, which comes back', () => {
    const lost = after([...started, { type: 'keeper-lost' }]);

    expect(lost).toMatchObject({ is: 'stopping', cause: 'lost' });
    expect(transition(lost, gone(1), LIFECYCLE, 100)).toMatchObject({ is: 'backing-off', failures: 1 });
  });
});
