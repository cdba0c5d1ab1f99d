import { describeMarkdown, describeSchema, describeText } from '@emperor/common/options/describe';
import { commaList, duration, oneOf, optional, repeated, size, text } from '@emperor/common/options/kinds';
import { option } from '@emperor/common/options/option';
import { expect, test } from 'vitest';

const table = {
  env: option({
    kind: repeated(text),
    default: [],
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group: 'app',
    help: 'A variable_, `NAME_X=<value>` | more.',
  }),
  'memory-max': option({
    kind: optional(size()),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group: 'limits',
    help: 'The most memory of all processes together.',
  }),
  'stop-timeout': option({
    kind: duration(),
    default: 30_000,
    since: '0.2',
    who: 'operator',
    onChange: 'live',
    group: 'lifecycle',
    help: 'How long the app may take to stop.',
  }),
  unshare: option({
    kind: commaList(oneOf('mnt', 'pid')),
    default: ['mnt', 'pid'],
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group: 'app',
    help: 'Namespaces.',
  }),
};

test('the reference page has each group once, its options in the order of the table, defaults as they are written', () => {
  const page = describeMarkdown(table);

  expect(page.match(/^#+ .*/gm)).toEqual([
    '## app',
    '### `env`',
    '### `unshare`',
    '## limits',
    '### `memory-max`',
    '## lifecycle',
    '### `stop-timeout`',
  ]);
  expect(page).toContain('| default | 30s |');
  expect(page).toContain('| default | mnt,pid |');
  expect(page).toContain('| default | unset |');
  expect(page).toContain('| since | 0.2 |');
  expect(page).toContain('A variable\\_, `NAME_X=<value>` | more.');
  expect(page.endsWith('\n')).toBe(true);
});

test('help on one option tells value, default, who and what a change does', () => {
  expect(describeText(table, 'stop-timeout')).toBe(
    [
      'stop-timeout = <duration such as 10s>',
      '  How long the app may take to stop.',
      '',
      '  value    duration such as 10s',
      '  default  30s',
      '  list     no',
      '  who      the operator',
      '  change   applied to the running vassal',
      '  since    0.2',
    ].join('\n'),
  );
  expect(describeText(table, 'nope')).toBeUndefined();
  expect(describeText(table, 'toString')).toBeUndefined();
});

test('the schema allows a list of texts where the key repeats and nothing unknown', () => {
  const schema = describeSchema(table);

  expect(schema).toMatchObject({
    type: 'object',
    additionalProperties: false,
    properties: {
      env: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
      'memory-max': { type: 'string', pattern: '^[0-9]+[BKMGT]?$' },
      'stop-timeout': { default: '30s', description: 'How long the app may take to stop.' },
    },
  });
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
