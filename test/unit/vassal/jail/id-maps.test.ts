import { IDS_PER_VASSAL, idMapsOf, mappedId, needsIdRange, outsideId } from '@emperor/vassal/jail/id-maps';
import { expect, test } from 'vitest';
import { specOf } from '../../../support/vassal-fixtures.ts';

const BASE = 1_879_048_192;
const run = (uid: number, gid = uid) => ({ uid, gid, idRange: BASE });
const USER = { unshare: 'mnt,user' };

test('without a user namespace nothing is mapped and every id is itself', () => {
  const maps = idMapsOf(specOf({}), run(1000));

  expect(maps).toEqual({ uids: [], gids: [] });
  expect(outsideId(maps.uids, 1000)).toBe(1000);
});

test.each([
  [0, [[0, BASE, 65_536]]],
  [
    1,
    [
      [0, BASE, 1],
      [2, BASE + 2, 65_534],
      [1, 1, 1],
    ],
  ],
  [
    65_535,
    [
      [0, BASE, 65_535],
      [65_535, 65_535, 1],
    ],
  ],
  [
    400_000,
    [
      [0, BASE, 65_536],
      [400_000, 400_000, 1],
    ],
  ],
])('all is shifted into the range but the own uid %d, and root never stays', (uid, wanted) => {
  const { uids } = idMapsOf(specOf(USER), run(uid));

  expect(uids.map(({ inside, outside, count }) => [inside, outside, count])).toEqual(wanted);
});

test('no id of inside and none of outside stands twice, with groups that lie side by side', () => {
  const spec = specOf({ ...USER, uid: '1000', gid: '1000', 'add-gid': '1,2,999,1001,65535,65536,400000' });
  const { gids } = idMapsOf(spec, run(1000));
  const insides = gids.flatMap(({ inside, count }) => Array.from({ length: count }, (_, i) => inside + i));
  const outsides = gids.flatMap(({ outside, count }) => Array.from({ length: count }, (_, i) => outside + i));

  expect(new Set(insides).size).toBe(insides.length);
  expect(new Set(outsides).size).toBe(outsides.length);
  expect(insides.filter((id) => id < IDS_PER_VASSAL)).toHaveLength(IDS_PER_VASSAL);
  for (const gid of [1, 2, 999, 1000, 1001, 65_535, 65_536, 400_000]) expect(outsideId(gids, gid)).toBe(gid);
  expect(outsideId(gids, 0)).toBe(BASE);
  expect(outsideId(gids, 70_000)).toBeUndefined();
});

test('written maps are the maps, and only a missing one takes of the range', () => {
  const written = { ...USER, uid: '5', 'uid-map': '0 3000 10' };
  const spec = specOf(written);

  expect(idMapsOf(spec, run(5)).uids).toEqual([{ inside: 0, outside: 3000, count: 10 }]);
  expect(outsideId(idMapsOf(spec, run(5)).uids, 5)).toBe(3005);
  expect(needsIdRange(spec)).toBe(true);
  expect(needsIdRange(specOf({ ...written, 'gid-map': '0 3000 10' }))).toBe(false);
  expect(needsIdRange(specOf({}))).toBe(false);
});

test('without root there is one id, and it is the user’s whatever it is inside', () => {
  const rootless = { uid: 1000, gid: 1001, groups: [] };

  expect(idMapsOf(specOf(USER), { ...run(0), rootless })).toEqual({
    uids: [{ inside: 0, outside: 1000, count: 1 }],
    gids: [{ inside: 0, outside: 1001, count: 1 }],
  });
});

test('a plan without a range never maps anybody to an id of the host', () => {
  const { uids } = idMapsOf(specOf(USER), { uid: 0, gid: 0 });

  expect(uids).toEqual([{ inside: 0, outside: 0x7fff_0000, count: 65_536 }]);
});

test('a user namespace without a map maps nothing; without such a namespace every id is itself', () => {
  expect([mappedId([], 5), outsideId([], 5)]).toEqual([undefined, 5]);
});
