import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { inHand } from '../../../../packages/emperor/src/store/in-hand.ts';
import { lockDirectory } from '../../../../packages/emperor/src/store/lock.ts';
import { type Memory, tombstone } from '../../../../packages/emperor/src/store/memory.ts';
import { decodeMemory, encodeMemory } from '../../../../packages/emperor/src/store/memory-json.ts';
import { stateDirectory } from '../../../../packages/emperor/src/store/state-directory.ts';
import { ID_RANGE, privateUids } from '../../../../packages/emperor/src/store/uids.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const log = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined };
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'emperor-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const memory: Memory = {
  mtime: '17',
  textHash: 'h',
  stamp: '16',
  good: { text: '[vassal]\ncommand = true\n', ownerUid: 0 },
  ownerUid: 0,
  stopped: true,
  applied: { generation: 3, keeperPid: 9, revision: 'r', stamp: '16' },
};

describe('memories', () => {
  const open = (isQuiet = true, clock = new ManualClock()) =>
    stateDirectory({ directory, clock, log, isQuiet: () => isQuiet });

  test('come back as they were', () => {
    expect(decodeMemory(encodeMemory(memory))).toEqual(memory);
    expect(decodeMemory(encodeMemory(tombstone(7)))).toEqual(tombstone(7));
  });

  test.each(['', 'null', '{}', '{"format":1}', '{"format":2,"mtime":"1"}', '[1]'])(
    'that are damaged are none: %s',
    (text) => {
      expect(decodeMemory(text)).toBeUndefined();
    },
  );

  test('saved now are on disk when the promise resolves', async () => {
    await open().saveNow('blog', memory);

    expect(open().load('blog')).toEqual(memory);
  });

  test('saved later wait for quiet, at most ten seconds, and the newest wins', async () => {
    const clock = new ManualClock();
    const store = open(false, clock);
    for (const name of ['a', 'b', 'c', 'd', 'blog']) store.saveLater(name, tombstone(1));
    store.saveLater('blog', memory);
    clock.advance(9_900);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(open().load('blog')).toBeUndefined();

    clock.advance(500);

    await vi.waitFor(() => expect(open().load('blog')).toEqual(memory));
  });

  test('saved while others are being written wait for a quiet moment of their own', async () => {
    const clock = new ManualClock();
    const store = open(false, clock);
    store.saveLater('first', memory);
    clock.advance(10);
    for (const name of ['a', 'b', 'c', 'd', 'blog']) store.saveLater(name, memory);
    clock.advance(100);
    await vi.waitFor(() => expect(open().load('first')).toEqual(memory));
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(open().load('blog')).toBeUndefined();
  });

  test('count at once, before they are on disk', () => {
    const store = open(false);
    store.saveLater('blog', tombstone(7));

    expect(store.load('blog')).toEqual(tombstone(7));
  });

  test('that cannot be written are an error when they were promised', async () => {
    const store = open();
    rmSync(join(directory, 'vassals'), { recursive: true });
    writeFileSync(join(directory, 'vassals'), '');

    await expect(store.saveNow('blog', memory)).rejects.toMatchObject({ code: 'state_unwritable' });
  });
});

describe('the lock of a directory', () => {
  test('keeps a second emperor out, and names the first', () => {
    const lock = lockDirectory(directory);

    expect(() => lockDirectory(directory)).toThrow(`another emperor (pid ${process.pid})`);
    lock.release();
    lockDirectory(directory).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('of a process that is gone is taken over', () => {
    symlinkSync('1-1', join(directory, 'lock'));

    lockDirectory(directory).release();

    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('what is in hand', () => {
  test('at two crashes is quarantined, at one is not', () => {
    const crash = () => {
      inHand(directory).close();
      writeFileSync(join(directory, 'in-hand'), 'blog poison');
    };
    crash();
    const first = inHand(directory);
    expect(first.isQuarantined('blog poison')).toBe(false);
    first.close();
    writeFileSync(join(directory, 'in-hand'), 'blog poison');
    const second = inHand(directory);

    expect(second.isQuarantined('blog poison')).toBe(true);
    expect(second.isQuarantined('blog mended')).toBe(false);
    second.close();
  });

  test('is written while it is, and nothing is left afterwards, also after an error', () => {
    const hand = inHand(directory);
    const read = () => readFileSync(join(directory, 'in-hand'), 'utf8').trim();
    expect(hand.with('blog 1', read)).toBe('blog 1');
    expect(() =>
      hand.with('blog 2', () => {
        throw new Error('no');
      }),
    ).toThrow('no');

    expect(read()).toBe('');
    hand.close();
  });

  test('needs no writable directory', () => {
    const hand = inHand(join(directory, 'missing'));

    expect(hand.with('blog', () => 5)).toBe(5);
    hand.close();
  });
});

describe('private uids', () => {
  const emperor = (name: string, range = { from: 400_000, to: 401_023 }) => {
    const stateDirectoryOfIt = join(directory, name);
    mkdirSync(stateDirectoryOfIt, { recursive: true });
    const claimsDirectory = join(directory, 'claims');
    return privateUids({
      stateDirectory: stateDirectoryOfIt,
      claimsDirectory,
      range,
      clock: { ...systemClock, wall: () => 1 },
    });
  };

  test('are given once and for all, also over restarts', async () => {
    const uid = await emperor('a').uidOf('blog', 0);

    expect(uid).toBe(400_000);
    expect(await emperor('a').uidOf('blog', 0)).toBe(uid);
    expect(emperor('a').known('blog', 0)).toBe(uid);
  });

  test('belong to a name and an owner: another owner gets another', async () => {
    const uids = emperor('a');

    expect(await uids.uidOf('blog', 1_001)).not.toBe(await uids.uidOf('blog', 0));
  });

  test('of two emperors on one machine never meet', async () => {
    const [first, second] = [emperor('a'), emperor('b')];

    expect([await first.uidOf('x', 0), await second.uidOf('x', 0)]).toEqual([400_000, 400_256]);
  });

  test('asked for at once are all different and on disk', async () => {
    const uids = emperor('a');
    const given = await Promise.all(Array.from({ length: 300 }, (_, index) => uids.uidOf(`v${index}`, 0)));

    expect(new Set(given).size).toBe(300);
    expect(await emperor('a').uidOf('v299', 0)).toBe(given[299]);
  });

  test('of vassals that are gone are used again only when the range is used up, the oldest first', async () => {
    const uids = emperor('a', { from: 400_000, to: 400_255 });
    const [oldest] = await Promise.all(Array.from({ length: 256 }, (_, index) => uids.uidOf(`v${index}`, 0)));
    await expect(uids.uidOf('late', 0)).rejects.toMatchObject({ code: 'state_unwritable' });
    uids.free('v0');
    uids.free('v7');

    expect(await uids.uidOf('late', 0)).toBe(oldest);
  });

  test('come back to a vassal that comes back before they were used again', async () => {
    const uids = emperor('a');
    const uid = await uids.uidOf('blog', 0);
    await uids.uidOf('shop', 0);
    uids.free('blog');

    expect(await uids.uidOf('blog', 0)).toBe(uid);
  });

  test('of an emperor whose state directory is gone may be claimed again', async () => {
    const range = { from: 400_000, to: 400_255 };
    await emperor('a', range).uidOf('blog', 0);
    rmSync(join(directory, 'a'), { recursive: true });

    expect(await emperor('b', range).uidOf('shop', 0)).toBe(400_000);
  });

  test('are never guessed: a damaged ledger is an error', () => {
    mkdirSync(join(directory, 'a'));
    writeFileSync(join(directory, 'a', 'uids.json'), '{"given":[["x"]]}');

    expect(() => emperor('a')).toThrow();
  });
});

describe('ranges of ids', () => {
  const FIRST = 1_879_048_192;
  const blocks = (count: number) => ({ from: FIRST, to: FIRST + count * 16 * 65_536 - 1 });
  const emperor = (name: string, count = 2) => {
    const state = join(directory, name);
    mkdirSync(state, { recursive: true });
    const claimsDirectory = join(directory, 'claims');
    const parts = { stateDirectory: state, claimsDirectory, clock: { ...systemClock, wall: () => 1 } };
    return {
      ranges: privateUids({ ...parts, range: blocks(count), unit: ID_RANGE }),
      uids: privateUids({ ...parts, range: { from: 400_000, to: 401_023 } }),
    };
  };

  test('are 65,536 apart, stable, and other emperors have others', async () => {
    const [first, second] = [emperor('a').ranges, emperor('b').ranges];

    expect([await first.uidOf('x', 0), await first.uidOf('y', 0)]).toEqual([FIRST, FIRST + 65_536]);
    expect(await second.uidOf('x', 0)).toBe(FIRST + 16 * 65_536);
    expect(await emperor('a').ranges.uidOf('y', 0)).toBe(FIRST + 65_536);
  });

  test('and private uids are given beside each other from the same claims', async () => {
    const { ranges, uids } = emperor('a');

    expect([await uids.uidOf('x', 0), await ranges.uidOf('x', 0)]).toEqual([400_000, FIRST]);
    expect(emperor('a').uids.known('x', 0)).toBe(400_000);
  });

  test('are used again only when all have been, and then there is no more', async () => {
    const { ranges } = emperor('a', 1);
    for (let index = 0; index < 16; index += 1) await ranges.uidOf(`v${index}`, 0);
    await expect(ranges.uidOf('more', 0)).rejects.toThrow('no range of ids left in');
    ranges.free('v3');

    expect(await ranges.uidOf('more', 0)).toBe(FIRST + 3 * 65_536);
  });
});
