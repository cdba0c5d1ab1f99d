import { expect, test } from 'vitest';

import { decodeSlowMounts } from '../../../../packages/emperor/src/monitor/mounts.ts';

const line = (point: string, type: string) => `36 35 98:0 / ${point} rw,noatime shared:1 - ${type} source rw`;

test('a path lies on the mount with the longest point that leads to it', () => {
  const mounts = decodeSlowMounts(
    [
      line('/', 'ext4'),
      line('/home', 'nfs4'),
      line('/home/local', 'xfs'),
      line('/home/local/far', 'fuse.sshfs'),
    ].join('\n'),
  );

  expect(mounts.hold('/')).toBe(false);
  expect(mounts.hold('/srv/app')).toBe(false);
  expect(mounts.hold('/home')).toBe(true);
  expect(mounts.hold('/home/alice/app.ini')).toBe(true);
  expect(mounts.hold('/homes')).toBe(false);
  expect(mounts.hold('/home/local/app.ini')).toBe(false);
  expect(mounts.hold('/home/local/far/app.ini')).toBe(true);
});

test('a file system that is not known to be local may hang', () => {
  expect(decodeSlowMounts(line('/x', 'autofs')).hold('/x/y')).toBe(true);
  expect(decodeSlowMounts(line('/x', 'brandnewfs')).hold('/x/y')).toBe(true);
});

test('what is mounted over another mount counts', () => {
  const mounts = decodeSlowMounts([line('/x', 'nfs'), line('/x', 'tmpfs'), line('/y', 'nfs')].join('\n'));

  expect(mounts.hold('/x/y')).toBe(false);
});

test('blanks in mount points are written as octal numbers', () => {
  expect(decodeSlowMounts(line('/my\\040home', 'nfs')).hold('/my home/app.ini')).toBe(true);
});

test('optional fields, none or many, do not confuse', () => {
  const text = '1 0 0:1 / /a rw - nfs s rw\n2 0 0:2 / /b rw shared:1 master:2 propagate_from:3 - nfs s rw\n';

  expect(decodeSlowMounts(text).hold('/a/x')).toBe(true);
  expect(decodeSlowMounts(text).hold('/b/x')).toBe(true);
});
