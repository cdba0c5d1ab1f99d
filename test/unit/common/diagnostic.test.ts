import { type Diagnostic, hasErrors, renderDiagnostic } from '@emperor/common/diagnostic';
import { expect, test } from 'vitest';

const problem: Diagnostic = {
  severity: 'error',
  file: 'blog.ini',
  line: 14,
  key: 'memory-max',
  message: 'expected a size such as 512M',
  hint: 'write a size',
};

test('a diagnostic names file, line and key, and its hint on a line of its own', () => {
  expect(renderDiagnostic(problem)).toBe(
    'blog.ini:14: memory-max: expected a size such as 512M\nhint: write a size',
  );
  expect(renderDiagnostic({ ...problem, line: undefined, key: undefined, hint: undefined })).toBe(
    'blog.ini: expected a size such as 512M',
  );
});

test('warnings alone do not forbid a file', () => {
  expect(hasErrors([])).toBe(false);
  expect(hasErrors([{ ...problem, severity: 'warning' }])).toBe(false);
  expect(hasErrors([{ ...problem, severity: 'warning' }, problem])).toBe(true);
});
