import { expect, test } from 'vitest';
import { built } from '../../../support/vassal-fixtures.ts';

function problems(written: Parameters<typeof built>[0]): readonly string[] {
  return built({ command: 'true', ...written }).diagnostics.map(({ key, message }) => `${key}: ${message}`);
}

const MACHINE = 'sethostname would change the name of the machine';

test.each([
  ['hook-pre-jail', 'uts,mnt', true],
  ['hook-post-jail', 'uts,mnt', false],
  ['hook-as-root', 'uts,mnt', false],
  ['hook-as-root', 'mnt', true],
  ['hook-post-stop', 'uts,mnt', true],
  // With a user namespace the host name of its own comes after post-jail.
  ['hook-post-jail', 'uts,mnt,user', true],
  ['hook-as-root', 'uts,mnt,user', false],
])('a host name set by %s with unshare = %s is the machine’s: %s', (key, unshare, isMachines) => {
  const found = problems({ unshare, [key]: 'sethostname:shop' });

  expect(found.includes(`${key}: ${MACHINE}`)).toBe(isMachines);
});

test.each([
  ['hook-post-jail', 'mnt,net,user', true],
  ['hook-post-jail', 'mnt,net', false],
  ['hook-post-jail', 'mnt,user', false],
  ['hook-as-root', 'mnt,net,user', false],
  ['hook-pre-jail', 'mnt,net,user', false],
])('an interface of %s with unshare = %s would be another network’s: %s', (key, unshare, isOther) => {
  const found = problems({ unshare, [key]: 'ifup:lo' });

  expect(found.some((text) => text.startsWith(`${key}: ifup would act on the network`))).toBe(isOther);
});
