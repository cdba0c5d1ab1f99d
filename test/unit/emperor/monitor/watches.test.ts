import { expect, test } from 'vitest';

import {
  type OpenWatch,
  type WatchEvents,
  Watches,
  type Wish,
  wishesFor,
} from '../../../../packages/emperor/src/monitor/watches.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { recordingLog } from '../../../support/recording-log.ts';

function watchesUnderTest() {
  const clock = new ManualClock();
  const open = new Map<string, WatchEvents>();
  const opened: string[] = [];
  const openWatch: OpenWatch = (directory, events) => {
    open.set(directory, events);
    opened.push(directory);
    return () => open.delete(directory);
  };
  const hints = { count: 0 };
  const { log, records } = recordingLog();
  const watches = new Watches(openWatch, clock, log, () => {
    hints.count += 1;
  });
  const ready = (directory: string) => open.get(directory)?.onReady();
  return { clock, open, opened, hints, records, watches, ready };
}

const all: Wish = { identity: '1:1', trusted: true, names: undefined };

test('watches what is wanted and nothing else', () => {
  const { watches, open, opened } = watchesUnderTest();

  watches.want(
    new Map([
      ['/a', all],
      ['/b', all],
    ]),
  );
  watches.want(
    new Map([
      ['/b', all],
      ['/c', all],
    ]),
  );

  expect([...open.keys()]).toEqual(['/b', '/c']);
  expect(opened).toEqual(['/a', '/b', '/c']);
});

test('hints once a new watch is ready, since something may have been missed', () => {
  const { watches, hints, ready } = watchesUnderTest();
  watches.want(new Map([['/a', all]]));
  expect(hints.count).toBe(0);

  ready('/a');

  expect(hints.count).toBe(1);
});

test('what begins together hints once, when all of it is ready', () => {
  const { watches, hints, ready } = watchesUnderTest();
  watches.want(
    new Map([
      ['/a', all],
      ['/b', all],
    ]),
  );

  ready('/a');
  expect(hints.count).toBe(0);
  watches.want(new Map([['/b', all]]));
  ready('/b');

  expect(hints.count).toBe(1);
});

test('what was not ready yet and is no longer wanted is not waited for', () => {
  const { watches, hints, ready } = watchesUnderTest();
  watches.want(
    new Map([
      ['/a', all],
      ['/b', all],
    ]),
  );
  ready('/a');

  watches.want(new Map([['/a', all]]));

  expect(hints.count).toBe(1);
});

test('another directory under the same name is watched anew', () => {
  const { watches, opened } = watchesUnderTest();

  watches.want(new Map([['/a', all]]));
  watches.want(new Map([['/a', { ...all, identity: '1:2' }]]));

  expect(opened).toEqual(['/a', '/a']);
});

test('only the names that matter are hinted', () => {
  const { watches, open, hints } = watchesUnderTest();
  watches.want(new Map([['/a', { ...all, names: new Set(['x.ini']) }]]));

  open.get('/a')?.onEvent('y.ini');
  expect(hints.count).toBe(0);
  open.get('/a')?.onEvent('x.ini');

  expect(hints.count).toBe(1);
});

test('a watch whose directory went away is given up and hinted, so that the next scan renews it', () => {
  const { watches, open, hints } = watchesUnderTest();
  watches.want(new Map([['/a/b', { ...all, names: new Set(['x.ini']) }]]));

  open.get('/a/b')?.onEvent('b');

  expect(hints.count).toBe(1);
  expect(open.size).toBe(0);
  watches.want(new Map([['/a/b', all]]));
  expect(open.size).toBe(1);
});

test('a directory of a tenant that says too much is closed at once, for longer and longer', () => {
  const { watches, open, hints, clock } = watchesUnderTest();
  watches.want(new Map([['/home/alice', { ...all, trusted: false, names: new Set(['x.ini']) }]]));
  const muted: number[] = [];

  for (let round = 0; round < 8; round += 1) {
    for (let event = 0; event < 100; event += 1) open.get('/home/alice')?.onEvent('x.ini');
    expect(open.size).toBe(0);
    const since = clock.now();
    while (open.size === 0) clock.advance((clock.nextAt() ?? 0) - clock.now());
    muted.push(clock.now() - since);
  }

  expect(muted).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  // Each event until it is too much, and once more when the kernel's queue, perhaps full, is empty again.
  expect(hints.count).toBe(8 * (33 + 1));
});

test('a directory of root alone is never muted', () => {
  const { watches, open, hints } = watchesUnderTest();
  watches.want(new Map([['/a', all]]));

  for (let event = 0; event < 1_000; event += 1) open.get('/a')?.onEvent('x.ini');

  expect(hints.count).toBe(1_000);
});

test('a tenant who makes a directory of the same name in its directory gains nothing', () => {
  const { watches, open, opened, clock } = watchesUnderTest();
  watches.want(new Map([['/home/alice', { ...all, trusted: false }]]));

  open.get('/home/alice')?.onEvent('alice');
  expect(open.size).toBe(0);
  watches.want(new Map([['/home/alice', { ...all, trusted: false }]]));
  expect(opened).toHaveLength(1);
  clock.advance(1_000);

  expect(opened).toHaveLength(2);
});

test('an error of a watch is logged and hinted, and the watch is opened again', () => {
  const { watches, open, opened, hints, clock, records, ready } = watchesUnderTest();
  watches.want(new Map([['/a', all]]));
  ready('/a');

  open.get('/a')?.onError(new Error('overflow'));
  expect(hints.count).toBe(2);
  expect(records.map((record) => record.message)).toEqual(['a directory cannot be watched']);
  clock.advance(1_000);

  expect(opened).toHaveLength(2);
});

test('a watch that cannot be opened is tried again, but seldom', () => {
  const { watches, open, opened, clock } = watchesUnderTest();
  watches.want(new Map([['/a', all]]));

  open.get('/a')?.onError(new Error('ENOSPC'));
  watches.want(new Map([['/a', all]]));
  clock.advance(59_000);
  expect(opened).toHaveLength(1);
  clock.advance(1_000);

  expect(opened).toHaveLength(2);
});

test('nothing is left when it is closed, not even a timer', () => {
  const { watches, open, clock, hints } = watchesUnderTest();
  watches.want(
    new Map([
      ['/a', all],
      ['/b', all],
    ]),
  );
  const late = open.get('/b');
  open.get('/a')?.onError(new Error('x'));
  hints.count = 0;

  watches.close();
  late?.onEvent('x.ini');
  late?.onReady();

  expect(open.size).toBe(0);
  expect(clock.nextAt()).toBeUndefined();
  expect(hints.count).toBe(0);
});

test('the vassals directory is wanted as a whole, other places by name', () => {
  const spot = { directory: '/etc', identity: '1:1', trusted: true };

  const wishes = wishesFor(
    [
      { ...spot, name: 'emperor' },
      { ...spot, name: 'other' },
      { ...spot, directory: '/etc/v', name: 'x.ini' },
    ],
    { path: '/etc/v', identity: '1:2' },
  );

  expect(wishes).toEqual(
    new Map([
      ['/etc', { identity: '1:1', trusted: true, names: new Set(['emperor', 'other']) }],
      ['/etc/v', { identity: '1:2', trusted: true, names: undefined }],
    ]),
  );
});
