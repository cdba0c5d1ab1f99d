import { instanceDirectory, parseHierarchies } from '@emperor/vassal/cgroup/hierarchy';
import { expect, test } from 'vitest';

const mountinfo = '30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n';

/** The v2 group that an emperor takes for its own when it was started in `path`. */
function ownOf(path: string): string | undefined {
  const asked: string[] = [];
  const { v2 } = parseHierarchies({
    mountinfo,
    cgroup: `0::${path}\n`,
    read: (file) => {
      asked.push(file);
      return file.endsWith('cgroup.controllers') ? 'memory pids' : '';
    },
  });
  // What a subgroup lists is nothing, as long as nobody passed controllers on to it.
  expect(asked).toContain(`${v2?.own === '/' ? '' : v2?.own}/cgroup.controllers`);
  return v2?.own;
}

test('the subgroup that our units start the emperor in is not the group that they delegate', () => {
  expect(ownOf('/system.slice/emperor.service/emperor-main')).toBe(
    '/sys/fs/cgroup/system.slice/emperor.service',
  );
  expect(ownOf('/system.slice/my-emperor-main')).toBe('/sys/fs/cgroup/system.slice/my-emperor-main');
  expect(ownOf('/emperor-main/x')).toBe('/sys/fs/cgroup/emperor-main/x');
  expect(ownOf('/emperor-main')).toBe('/sys/fs/cgroup');
});

test('an emperor that was started from its own leaf below such a unit finds the same tree', () => {
  const own = ownOf('/system.slice/emperor.service/emperor-1a2b/emperor') ?? '';

  expect(instanceDirectory({ mount: '/sys/fs/cgroup', own }, '1a2b')).toBe(
    '/sys/fs/cgroup/system.slice/emperor.service/emperor-1a2b',
  );
});
