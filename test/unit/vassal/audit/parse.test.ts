import { MountTree } from '@emperor/vassal/audit/mount-tree';
import {
  parseIdMap,
  parseLimits,
  parseMountinfo,
  parseStat,
  parseStatus,
  parseTcpListeners,
  parseUnixSockets,
  parseWords,
} from '@emperor/vassal/audit/parse';
import { mappedId } from '@emperor/vassal/jail/id-maps';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const STATUS = `Name:\tsleep
Uid:\t1001\t1001\t1001\t1001
Gid:\t1002\t1002\t1002\t1002
Groups:\t33 1002
CapInh:\t0000000000000400
CapPrm:\t0000000000000400
CapEff:\t0000000000000400
CapBnd:\t0000000000000400
CapAmb:\t0000000000000400
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
`;

test('a status tells ids, groups, capability sets, no_new_privs and seccomp', () => {
  expect(parseStatus(STATUS)).toEqual({
    uids: [1001, 1001, 1001, 1001],
    gids: [1002, 1002, 1002, 1002],
    groups: [33, 1002],
    caps: { CapInh: 1024n, CapPrm: 1024n, CapEff: 1024n, CapBnd: 1024n, CapAmb: 1024n },
    noNewPrivs: true,
    seccompMode: 2,
    seccompFilters: 1,
  });
});

test.each(['', 'Uid:\t1\n', STATUS.replace(/^CapAmb.*\n/m, '')])(
  'a status that is cut short is none',
  (text) => {
    expect(parseStatus(text)).toBeUndefined();
  },
);

test('a mount has its options, and a path with blanks and newlines is one path', () => {
  const text =
    '36 25 8:1 /data /srv/a\\040b\\012c rw,nosuid shared:16 master:2 - ext4 /dev/sda1 rw,errors=x\n';

  expect(parseMountinfo(text)).toEqual([
    {
      id: 36,
      parent: 25,
      device: '8:1',
      root: '/data',
      point: '/srv/a b\nc',
      options: new Set(['rw', 'nosuid']),
      type: 'ext4',
      source: '/dev/sda1',
      superOptions: new Set(['rw', 'errors=x']),
    },
  ]);
});

test('too many mounts are not judged by halves', () => {
  expect(parseMountinfo('1 1 0:1 / / rw - tmpfs t rw\n'.repeat(5_000))).toBeUndefined();
});

test('a process may call itself anything', () => {
  const rest = `S ${Array.from({ length: 15 }, () => '0').join(' ')} -5 1 0 4711 0`;

  expect(parseStat(`17 (a) S 1 2 (b)) ${rest}`)).toMatchObject({ start: '4711', nice: -5 });
});

test('limits, id maps, sockets, ports and words', () => {
  const limits = parseLimits(
    'Limit Soft Hard Units\nMax open files            100           unlimited     files\n',
  );
  expect(limits.get('nofile')).toEqual({ soft: 100, hard: undefined });
  const map = parseIdMap('         0     400000      65536\n');
  expect([mappedId(map, 5), mappedId(map, 70_000)]).toEqual([400_005, undefined]);
  const unix =
    'Num RefCount Protocol Flags Type St Inode Path\n' +
    '0000: 00000002 00000000 00010000 0001 01 22 @an abstract name\n0000: 00000003 00000000 00000000 0001 03 23\n';
  expect(parseUnixSockets(unix)).toEqual([{ path: '@an abstract name', isListening: true }]);
  const tcp =
    '  sl  local_address rem_address   st\n   0: 0100007F:07E8 00000000:0000 0A 0\n   1: 0100007F:0050 0100007F:0001 01 0\n';
  expect(parseTcpListeners(tcp)).toEqual(['2024']);
  expect(parseWords('A=1\0B=\0')).toEqual(['A=1', 'B=']);
});

test('no text breaks a parser', () => {
  const parsers = [
    parseStatus,
    parseMountinfo,
    parseStat,
    parseLimits,
    parseIdMap,
    parseUnixSockets,
    parseWords,
  ];
  fc.assert(
    fc.property(fc.string({ maxLength: 500 }), (text) => {
      for (const parse of parsers) parse(text);
      parseTcpListeners(text);
    }),
  );
});

function treeOf(...lines: readonly string[]): MountTree {
  return new MountTree(parseMountinfo(lines.join('\n')) ?? []);
}

test('a path is on the mount that lies on top on the way to it', () => {
  const tree = treeOf(
    '10 9 8:1 / / rw - ext4 root rw',
    '11 10 0:1 / /dev rw - devtmpfs dev rw',
    '12 11 0:2 / /dev/shm rw - tmpfs lower rw',
    '13 12 0:3 / /dev/shm rw - tmpfs upper rw',
    '14 11 0:4 /dev /dev ro - tmpfs own rw',
    '15 14 0:5 /shm /dev/shm rw - tmpfs shm rw',
  );

  expect(tree.at('/dev')?.id).toBe(14);
  expect(tree.at('/dev/shm/x')?.id).toBe(15);
  expect(tree.at('/device')?.id).toBe(10);
  expect(tree.visible.map(({ id }) => id)).toEqual([10, 14, 15]);
});

test('mounts that run in a circle end', () => {
  expect(treeOf('1 2 0:1 / / rw - tmpfs a rw', '2 1 0:2 / / rw - tmpfs b rw').at('/x')).toBeUndefined();
});
