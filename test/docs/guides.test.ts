import { parseIni } from '@emperor/common/ini/parse';
import { expect, test } from 'vitest';
import { guideExamples } from '../support/guide-example.ts';
import { built } from '../support/vassal-fixtures.ts';

test.each(guideExamples().filter(({ text }) => text.startsWith('[vassal]')))(
  '$guide.md, "$heading": its example is a vassal file without a diagnostic',
  ({ text }) => {
    const section = parseIni(text, 'example.ini').sections.find(({ name }) => name === 'vassal');
    const written: Record<string, readonly string[]> = {};
    for (const { key, value } of section?.entries ?? [])
      written[key] = [...(written[key] ?? []), value.replaceAll('%(name)', 'example')];

    expect(built(written).diagnostics).toEqual([]);
  },
);
