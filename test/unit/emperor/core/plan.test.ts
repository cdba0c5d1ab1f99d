import { describe, expect, test } from 'vitest';
import { type Attempt, NO_TURNS, type Wanted } from '../../../../packages/emperor/src/core/desired.ts';
import { nextStep, nextWake, type Seen, type Situation } from '../../../../packages/emperor/src/core/plan.ts';
import { STOPPED, type VassalState } from '../../../../packages/emperor/src/core/state.ts';
import { specOf } from '../../../support/spec-of.ts';

const spec = specOf('blog');
const wanted: Wanted = {
  spec,
  revision: 'a',
  ownerUid: 0,
  stamp: '1',
  revoked: false,
  run: true,
  turns: NO_TURNS,
};
const attempt: Attempt = { spec, revision: 'a', ownerUid: 0, stamp: '1', turns: NO_TURNS };
const pids = { app: 12, init: 11 };
const running: VassalState = {
  is: 'running',
  since: 0,
  generation: 1,
  failures: 0,
  pids,
  heardAt: undefined,
};
const seen: Seen = { state: running, attempt, keeper: 'held' };

function situation(change: {
  wanted?: Wanted | undefined;
  seen?: Partial<Seen>;
  startBlocked?: boolean;
  kind?: 'nothing' | 'live' | 'restart';
}): Situation {
  const kind = change.kind ?? 'restart';
  return {
    wanted: 'wanted' in change ? change.wanted : wanted,
    seen: { ...seen, ...change.seen },
    neighbours: { startBlocked: change.startBlocked ?? false, stopBlocked: false },
    diff: () => (kind === 'nothing' ? { kind } : { kind, changed: [] }),
  };
}

describe('a vassal that runs', () => {
  test('as its file says needs nothing', () => {
    expect(nextStep(situation({}), 5)).toBeUndefined();
    expect(nextWake(situation({}))).toBeUndefined();
  });

  test('is stopped when its file is gone', () => {
    expect(nextStep(situation({ wanted: undefined }), 5)).toEqual({ do: 'stop', cause: 'asked' });
  });

  test('is stopped for a new revision that needs a new jail', () => {
    expect(nextStep(situation({ wanted: { ...wanted, revision: 'b' } }), 5)).toEqual({
      do: 'stop',
      cause: 'restart',
    });
  });

  test('is adjusted for a revision that can be applied live', () => {
    expect(nextStep(situation({ wanted: { ...wanted, revision: 'b' }, kind: 'live' }), 5)).toEqual({
      do: 'adjust',
    });
  });

  test('is stopped for a touch', () => {
    expect(nextStep(situation({ wanted: { ...wanted, stamp: '2' } }), 5)).toEqual({
      do: 'stop',
      cause: 'restart',
    });
  });

  test('gets its reload signal for a touch when it reloads by signal', () => {
    const bySignal = specOf('blog', { reload: 'signal' });

    expect(nextStep(situation({ wanted: { ...wanted, spec: bySignal, stamp: '2' } }), 5)).toEqual({
      do: 'reload',
    });
  });

  test('goes on when its file never was valid', () => {
    const unknown = { ...wanted, spec: undefined, revision: undefined };

    expect(nextStep(situation({ wanted: unknown }), 5)).toBeUndefined();
  });

  test('is killed at once when its owner lost the right', () => {
    expect(nextStep(situation({ wanted: { ...wanted, revoked: true } }), 5)).toEqual({
      do: 'kill',
      cause: 'rights',
    });
  });

  test('is killed at once when the file belongs to somebody else', () => {
    expect(nextStep(situation({ wanted: { ...wanted, ownerUid: 1001 } }), 5)).toEqual({
      do: 'kill',
      cause: 'rights',
    });
  });

  test('is killed when its watchdog heard nothing for too long', () => {
    const watched: Attempt = { ...attempt, spec: specOf('blog', { watchdogMs: 1_000 }) };

    expect(nextStep(situation({ seen: { attempt: watched } }), 999)).toBeUndefined();
    expect(nextStep(situation({ seen: { attempt: watched } }), 1_000)).toEqual({
      do: 'kill',
      cause: 'watchdog',
    });
  });
});

describe('a vassal on its way up or down', () => {
  const starting: VassalState = {
    is: 'starting',
    since: 0,
    generation: 1,
    failures: 0,
    readyBy: 50,
    readyAt: undefined,
    pids,
  };
  const stopping: VassalState = {
    is: 'stopping',
    since: 0,
    generation: 1,
    failures: 0,
    cause: 'asked',
    killAt: 30,
    killed: false,
    ended: undefined,
    pids,
  };

  test('is stopped when it is not ready in time', () => {
    expect(nextStep(situation({ seen: { state: starting } }), 49)).toBeUndefined();
    expect(nextStep(situation({ seen: { state: starting } }), 50)).toEqual({
      do: 'stop',
      cause: 'not-ready',
    });
  });

  test('is killed, not asked, before its app exists', () => {
    const building: VassalState = { ...starting, pids: undefined };

    expect(nextStep(situation({ wanted: undefined, seen: { state: building } }), 5)).toEqual({
      do: 'kill',
      cause: 'asked',
    });
  });

  test('is killed when its stop time is over, and its keeper given up when that does not help', () => {
    expect(nextStep(situation({ seen: { state: stopping } }), 29)).toBeUndefined();
    expect(nextStep(situation({ seen: { state: stopping } }), 30)).toEqual({ do: 'kill', cause: 'asked' });
    expect(nextStep(situation({ seen: { state: { ...stopping, killed: true } } }), 30)).toEqual({
      do: 'abandon',
    });
  });
});

describe('a vassal at rest', () => {
  const backingOff: VassalState = {
    is: 'backing-off',
    since: 0,
    until: 40,
    failures: 2,
    last: { by: 'lost' },
  };

  test('is started', () => {
    expect(nextStep(situation({ seen: { state: STOPPED, attempt: undefined, keeper: 'none' } }), 5)).toEqual({
      do: 'start',
      fresh: true,
    });
  });

  test('waits for what it starts after', () => {
    expect(nextStep(situation({ seen: { state: STOPPED }, startBlocked: true }), 5)).toBeUndefined();
  });

  test('is started again when its wait is over, or at once after an edit', () => {
    expect(nextStep(situation({ seen: { state: backingOff } }), 39)).toBeUndefined();
    expect(nextStep(situation({ seen: { state: backingOff } }), 40)).toEqual({ do: 'start', fresh: false });
    expect(
      nextStep(situation({ seen: { state: backingOff }, wanted: { ...wanted, revision: 'b' } }), 5),
    ).toEqual({ do: 'start', fresh: true });
  });

  test('stays down after it finished, until somebody asks', () => {
    const finished: VassalState = { is: 'stopped', since: 0, finished: true };
    const asked = { ...wanted, turns: { ...NO_TURNS, start: 1 } };

    expect(nextStep(situation({ seen: { state: finished, keeper: 'none' } }), 5)).toBeUndefined();
    expect(nextStep(situation({ seen: { state: finished }, wanted: asked }), 5)).toEqual({
      do: 'start',
      fresh: true,
    });
  });

  test('lets its keeper go when it is not to run, then is forgotten when its file is gone', () => {
    expect(nextStep(situation({ seen: { state: STOPPED }, wanted: { ...wanted, run: false } }), 5)).toEqual({
      do: 'release',
    });
    expect(nextStep(situation({ seen: { state: STOPPED }, wanted: undefined }), 5)).toEqual({
      do: 'release',
    });
    expect(nextStep(situation({ seen: { state: STOPPED, keeper: 'none' }, wanted: undefined }), 5)).toEqual({
      do: 'forget',
    });
  });

  test('is cleaned up before anything else when its keeper died', () => {
    expect(nextStep(situation({ seen: { state: STOPPED, keeper: 'lost' }, wanted: undefined }), 5)).toEqual({
      do: 'reap',
    });
  });

  test('does not inherit a keeper from another owner', () => {
    expect(nextStep(situation({ seen: { state: STOPPED }, wanted: { ...wanted, ownerUid: 7 } }), 5)).toEqual({
      do: 'release',
    });
  });
});

describe('a vassal that a keeper of another version holds', () => {
  const foreign = { attempt: undefined, keeper: 'foreign' } as const;
  const restarted = { ...wanted, turns: { ...NO_TURNS, restart: 1 } };

  test('is left alone, whatever its file says now', () => {
    const edited = { ...wanted, revision: 'b', stamp: '2' };

    expect(nextStep(situation({ seen: foreign, wanted: edited }), 5)).toBeUndefined();
    expect(nextWake(situation({ seen: foreign }))).toBeUndefined();
  });

  test.each([
    ['its file is gone', undefined, 'asked'],
    ['it is not to run', { ...wanted, run: false }, 'asked'],
    ['a restart was asked for', restarted, 'restart'],
    ['its owner lost the right', { ...wanted, revoked: true }, 'rights'],
  ] as const)('loses that keeper when %s', (_, want, cause) => {
    expect(nextStep(situation({ seen: foreign, wanted: want }), 5)).toEqual({ do: 'replace', cause });
  });

  test('loses that keeper when nothing runs in it', () => {
    const seenIdle = { ...foreign, state: STOPPED };

    expect(nextStep(situation({ seen: seenIdle }), 5)).toEqual({ do: 'replace', cause: 'asked' });
  });
});
