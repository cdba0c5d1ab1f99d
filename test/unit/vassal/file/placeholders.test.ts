import { expect, test } from 'vitest';

import { type Expanded, Placeholders } from '../../../../packages/vassal/src/file/placeholders.ts';

const builtIns = {
  name: 'blog',
  dir: '/etc/emperor/vassals',
  file: '/etc/emperor/vassals/blog.ini',
  owner: 'alice',
  home: '/home/alice',
  hostname: 'web1',
};

function placeholders(): Placeholders {
  return new Placeholders(builtIns, ['command', 'memory-max']);
}

function shown(expanded: Expanded): string {
  return expanded.ok ? expanded.text : `${expanded.message} (${expanded.hint})`;
}

test.each([
  ['plain', 'plain'],
  ['/srv/%(name)/app', '/srv/blog/app'],
  ['%(dir)|%(file)|%(owner)|%(home)|%(hostname)', `${builtIns.dir}|${builtIns.file}|alice|/home/alice|web1`],
  ['%(name)%(name)', 'blogblog'],
  ['date +%Y-%m-%d', 'date +%Y-%m-%d'],
  ['100%', '100%'],
  ['%%', '%%'],
  ['%%(name)', '%(name)'],
  ['%%(name', '%(name'],
  ['%%%(name)', '%%(name)'],
  ['% (name)', '% (name)'],
  ['$(name) {name} %{name}', '$(name) {name} %{name}'],
  ['', ''],
])('%j becomes %j', (text, expanded) => {
  expect(placeholders().expand(text)).toEqual({ ok: true, text: expanded });
});

test('keys that were defined stand for their values, with either spelling', () => {
  const expansion = placeholders();
  expansion.define('base-dir', '/srv');
  expansion.define('base-dir', '/opt');

  expect(shown(expansion.expand('%(base-dir)/%(base_dir)'))).toBe('/opt//opt');
});

test('what a placeholder stands for is not looked at again', () => {
  const expansion = placeholders();
  expansion.define('a', '%(name) %%(name) %(b)');

  expect(shown(expansion.expand('%(a)'))).toBe('%(name) %%(name) %(b)');
});

test('a built-in placeholder keeps its meaning when a key has its name', () => {
  const expansion = placeholders();
  expansion.define('hostname', 'jail');

  expect(shown(expansion.expand('%(hostname)'))).toBe('web1');
});

test.each([
  ['%(nmae)', 'unknown placeholder %(nmae) (did you mean %(name)?)'],
  ['%(zzzzzzz)', 'unknown placeholder %(zzzzzzz) (write %%( for a literal %()'],
  ['%()', 'unknown placeholder (write %%( for a literal %()'],
  ['%(a b;\u001b)', 'unknown placeholder (write %%( for a literal %()'],
  ['%(name', '%( is not closed by ) (write %%( for a literal %()'],
  ['%(na%(name))', '%( is not closed by ) (write %%( for a literal %()'],
  ['%(command)', '%(command) is not set above this line (set command earlier in the section)'],
  ['%(memory_max)', '%(memory_max) is not set above this line (set memory-max earlier in the section)'],
  ['%(constructor)', 'unknown placeholder %(constructor) (write %%( for a literal %()'],
  ['%(__proto__)', 'unknown placeholder %(__proto__) (write %%( for a literal %()'],
])('%j is refused', (text, message) => {
  expect(shown(placeholders().expand(text))).toBe(message);
});

test('a built-in that this vassal does not have is refused', () => {
  const expansion = new Placeholders({ ...builtIns, home: undefined }, []);

  expect(shown(expansion.expand('%(home)/x'))).toBe(
    'there is no %(home) for this vassal (write the value itself)',
  );
});

test('a value does not become longer than 64 KiB', () => {
  const expansion = placeholders();
  expansion.define('big', 'x'.repeat(60_000));

  expect(expansion.expand('%(big)').ok).toBe(true);
  expect(shown(expansion.expand('%(big)%(big)'))).toMatch(/^the value became longer than 64 KiB/);
});

test('all values together are bounded too', () => {
  const expansion = placeholders();
  expansion.define('big', 'x'.repeat(60_000));

  const results = Array.from({ length: 20 }, () => expansion.expand('%(big)').ok);

  expect(results.filter((ok) => ok)).toHaveLength(8);
  expect(shown(expansion.expand('x'))).toMatch(/^all values together became longer than 512 KiB/);
});

test("an operator's value takes built-in names only", () => {
  const expansion = placeholders();
  expansion.define('root', '/');

  expect(shown(expansion.expandOperators('/srv/%(owner)/%(name)@%(hostname) %%(x)'))).toBe(
    '/srv/alice/blog@web1 %(x)',
  );
  expect(shown(expansion.expandOperators('/srv/%(root)'))).toMatch(/^unknown placeholder %\(root\)/);
  expect(shown(expansion.expandOperators('/srv/%(command)'))).toMatch(/^unknown placeholder %\(command\)/);
});

test.each(['/', '..', 'a/../b', '.', '', 'a/b', 'a..b'])(
  "the name %j cannot turn an operator's path into another one",
  (owner) => {
    const expansion = new Placeholders({ ...builtIns, owner }, []);

    expect(shown(expansion.expandOperators('/srv/%(owner)'))).toMatch(/single names only/);
  },
);

test.each(['%(dir)', '%(file)', '%(home)'])(
  "%s is a path and has no place in an operator's value",
  (text) => {
    expect(shown(placeholders().expandOperators(text))).toMatch(/is a path here/);
  },
);
