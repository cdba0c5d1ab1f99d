import { expect, test } from 'vitest';
import { explainEnd } from '../../../../packages/emperor/src/explain/ending.ts';

test('a call by a foreign interface is explained by its signal', () => {
  const end = (signal: string) =>
    explainEnd(
      { by: 'exit', exit: { by: 'signal', signal }, counters: {} },
      { limits: undefined, launch: () => ({ what: '', hint: undefined }) },
    );

  expect(end('SIGSYS').what).toBe('killed by SIGSYS');
  expect(end('SIGSYS').hint).toContain('seccomp = none');
  expect(end('SIGSEGV').hint).toBeUndefined();
});
