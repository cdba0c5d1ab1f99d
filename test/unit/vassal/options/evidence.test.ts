import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Option } from '@emperor/common/options/option';
import { vassalOptions } from '@emperor/vassal/options';
import { expect, test } from 'vitest';
import { EVIDENCE, type Evidence, OPERATOR_VALUES } from '../../../support/option-evidence.ts';
import { ALICE, built } from '../../../support/vassal-fixtures.ts';

const TESTS = join(import.meta.dirname, '../../..');
const rows: readonly (readonly [string, Option<unknown>])[] = Object.entries(vassalOptions);
const operators = rows.filter(([, { who }]) => who === 'operator').map(([key]) => key);

/** The source of the one test with this title, from its first line to the next test. */
function testOf({ file, title }: Evidence): string | undefined {
  const tests = readFileSync(join(TESTS, file), 'utf8').split(/^(?= *(?:test|describe)\b)/m);
  const found = tests.filter((text) => ["'", '`', '"'].some((mark) => text.includes(mark + title + mark)));
  return found.length === 1 ? found[0] : undefined;
}

test('every option of the operator has a value for the tests that refuse it, and no other has', () => {
  expect(Object.keys(OPERATOR_VALUES).toSorted()).toEqual(operators.toSorted());
});

test.each(rows)('the effect of %s is observed by a test that is there and names it', (key) => {
  const evidence = Object.entries(EVIDENCE).find(([name]) => name === key)?.[1] ?? expect.unreachable();
  const source = testOf(evidence);

  expect(source, `${evidence.file}: "${evidence.title}"`).toBeDefined();
  expect(source).not.toMatch(/^ *test(?:\.each)?\.(?:skip|todo|fails)\b/);
  expect(source).toMatch(/\b(?:expect|assert)\b|running\(|printed\(/);
  if (evidence.words === undefined)
    expect(source).toMatch(new RegExp(`(?:(?<![\\w-])|\\\\n)${key}(?= =|['",])`));
  else expect(source).toContain(evidence.words);
});

test.each(Object.entries(OPERATOR_VALUES))(
  '%s = %s is legal, and refused to a tenant alone',
  (key, value) => {
    expect(rows.find(([name]) => name === key)?.[1].kind.decodeAll([value])).toMatchObject({ ok: true });
    const refusal = {
      severity: 'error',
      key,
      line: 3,
      message: 'only the operator may set this, and the file belongs to alice',
    };
    const written = { command: 'true', [key]: value };

    expect(built(written, { owner: ALICE }).diagnostics).toContainEqual(expect.objectContaining(refusal));
    expect(built(written, { owner: ALICE }).spec).toBeUndefined();
    expect(built(written).diagnostics.map(({ message }) => message)).not.toContain(refusal.message);
  },
);
