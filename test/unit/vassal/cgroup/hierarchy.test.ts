import {
  generationDirectory,
  instanceDirectory,
  parseHierarchies,
  versionOf,
} from '@emperor/vassal/cgroup/hierarchy';
import { expect, test } from 'vitest';

const HYBRID_MOUNTS = `
24 1 0:22 / /proc rw - proc proc rw
30 1 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
35 30 0:31 / /sys/fs/cgroup/my\\040pids rw - cgroup cgroup rw,pids
36 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`;
const HYBRID_GROUPS = `8:pids:/
4:memory:/jobs/17
1:cpu,cpuacct:/jobs
0::/sess
`;

test('a hybrid host has its v2 tree and the v1 hierarchies of the controllers', () => {
  const host = parseHierarchies({
    mountinfo: HYBRID_MOUNTS,
    cgroup: HYBRID_GROUPS,
    read: (path) => (path.endsWith('/cgroup.controllers') ? 'hugetlb\n' : ''),
  });

  expect(host.v2).toEqual({
    mount: '/sys/fs/cgroup/unified',
    own: '/sys/fs/cgroup/unified/sess',
    controllers: new Set(['hugetlb']),
  });
  const cpu = { mount: '/sys/fs/cgroup/cpu', own: '/sys/fs/cgroup/cpu/jobs' };
  expect([...host.v1]).toEqual([
    ['pids', { mount: '/sys/fs/cgroup/my pids', own: '/sys/fs/cgroup/my pids' }],
    ['memory', { mount: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/jobs/17' }],
    ['cpu', cpu],
    ['cpuacct', cpu],
  ]);
  expect(versionOf(host, 'memory')).toBe('v1');
});

test('a v2 host has its controllers there, asked of the own group', () => {
  const asked: string[] = [];
  const host = parseHierarchies({
    mountinfo: '36 30 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
    cgroup: '0::/system.slice/emperor.service\n',
    read: (path) => {
      asked.push(path);
      return 'cpu memory pids';
    },
  });

  expect(asked).toEqual(['/sys/fs/cgroup/system.slice/emperor.service/cgroup.controllers']);
  expect(
    ['memory', 'cpu', 'pids'].map((name) =>
      versionOf(host, name === 'cpu' ? 'cpu' : name === 'pids' ? 'pids' : 'memory'),
    ),
  ).toEqual(['v2', 'v2', 'v2']);
});

test("a container's mount shows a part of its hierarchy", () => {
  const inside = parseHierarchies({
    mountinfo: '36 30 0:32 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
    cgroup: '0::/docker/abc/job',
    read: () => '',
  });
  const outside = parseHierarchies({
    mountinfo: '36 30 0:32 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
    cgroup: '0::/elsewhere',
    read: () => '',
  });

  expect(inside.v2?.own).toBe('/sys/fs/cgroup/job');
  expect(outside.v2).toBeUndefined();
});

test('texts of no sense are a host without control groups', () => {
  const host = parseHierarchies({ mountinfo: 'x\n - \n', cgroup: '::\n', read: () => '' });

  expect(host).toEqual({ v2: undefined, v1: new Map() });
});

test('a generation lies below the own group, by instance, owner and name', () => {
  const place = { instance: '1a2b', ownerUid: 1001, name: 'blog', generation: 7 };

  expect(generationDirectory({ mount: '/c', own: '/c/svc' }, place)).toBe(
    '/c/svc/emperor-1a2b/u1001/blog/g7',
  );
  expect(generationDirectory({ mount: '/c', own: '/c/' }, place)).toBe('/c/emperor-1a2b/u1001/blog/g7');
});

test('an emperor that was started inside its own tree does not nest it', () => {
  expect(instanceDirectory({ mount: '/c', own: '/c/svc/emperor-1a2b/emperor' }, '1a2b')).toBe(
    '/c/svc/emperor-1a2b',
  );
  expect(instanceDirectory({ mount: '/c', own: '/c/emperor-9999/u1/x/g1' }, '1a2b')).toBe(
    '/c/emperor-9999/u1/x/g1/emperor-1a2b',
  );
});
