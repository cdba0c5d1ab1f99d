import {
  landlockOf,
  parseHardRlimits,
  probeHost,
  systemLines,
  withoutMembers,
} from '@emperor/vassal/jail/host';
import { expect, test } from 'vitest';

test('hard limits are the second column, by resource', () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 20000                files     
Max stack size            8388608              unlimited            bytes     
Max nice priority         0                    0                    
`;

  expect([...parseHardRlimits(text)]).toEqual([
    ['cpu', undefined],
    ['nofile', 20_000],
    ['stack', undefined],
    ['nice', 0],
  ]);
});

test.each([
  ['6.18.44-fc', undefined, 6],
  ['6.12.0', 'capability,landlock,yama', 6],
  ['6.1.0-37-amd64', 'landlock,lockdown,capability', 2],
  ['6.1.0-37-amd64', 'lockdown,capability', 0],
  ['5.10.0', undefined, 0],
  ['what', undefined, 0],
])('kernel %s with modules %s has Landlock ABI %i', (release, modules, abi) => {
  expect(landlockOf(release, modules)).toBe(abi);
});

test('system accounts are those below 1000, and nobody; their groups name no members', () => {
  expect(withoutMembers('audio:x:29:alice,bob')).toBe('audio:x:29:');
  expect(systemLines('root:x:0:0\nalice:x:1001:1\nnobody:x:65534:1\nbroken\n')).toEqual([
    'root:x:0:0',
    'nobody:x:65534:1',
  ]);
});

test('this host can be probed without a keeper', async () => {
  const facts = await probeHost('/nonexistent/keeper');

  expect(facts.capLastCap).toBeGreaterThan(30);
  expect(facts.paths.directories).toContain('/usr');
  expect(facts.hardRlimits.has('nofile')).toBe(true);
});
