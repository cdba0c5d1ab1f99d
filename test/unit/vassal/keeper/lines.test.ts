import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lines } from '../../../../packages/vassal/src/keeper/lines.ts';

test('lines come out as they were written, however the stream is cut', () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\n'));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 9 })), (written, cuts) => {
      const bytes = Buffer.from(written.map((text) => `${text}\n`).join(''));
      const lines = new Lines(200);
      const read: string[] = [];
      for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
        const size = cuts[turn] ?? bytes.length;
        read.push(...lines.take(bytes.subarray(from, from + size)));
        from += size;
      }

      expect(read).toEqual(written);
    }),
  );
});

test('a line without end is given up, before and after its newline', () => {
  const open = new Lines(10);
  const closed = new Lines(10);

  expect(open.take(Buffer.from('12345\n12345678901'))).toEqual(['12345']);
  expect(closed.take(Buffer.from('12345678901\nnext\n'))).toEqual([]);
  expect([open.overflowed, closed.overflowed]).toEqual([true, true]);
  expect(open.take(Buffer.from('\nnext\n'))).toEqual([]);
});
