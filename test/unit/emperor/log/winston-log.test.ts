import type { LogLevel } from '@emperor/common/log/log';
import { expect, test } from 'vitest';

import { winstonLog } from '../../../../packages/emperor/src/log/winston-log.ts';

const clock = { wall: () => Date.UTC(2026, 10, 20, 10, 0, 0, 123) };

function lines(format: 'text' | 'json', level: LogLevel = 'info') {
  const written: string[] = [];
  return { written, log: winstonLog({ level, format, clock, write: (line) => written.push(line) }) };
}

test('text is one line: time, level, message, facts', () => {
  const { log, written } = lines('text');

  log.info('vassal ready', { vassal: 'blog', pid: 12, ready: true, user: undefined });

  expect(written).toEqual(['2026-11-20T10:00:00.123Z info vassal ready vassal=blog pid=12 ready=true\n']);
});

test('what is below the level is left out', () => {
  const { log, written } = lines('text', 'warn');

  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');

  expect(written.map((line) => line.split(' ')[1])).toEqual(['warn', 'error']);
});

test('no value can begin a line, move the cursor or pass for another fact', () => {
  const { log, written } = lines('text');

  log.info('odd\nname', { command: 'sh -c "a"', text: 'x\n2026 error fake \x1b[2J', empty: '' });

  expect(written).toEqual([
    '2026-11-20T10:00:00.123Z info odd\\x0aname command="sh -c \\"a\\"" text="x\\\\x0a2026 error fake \\\\x1b[2J" empty=""\n',
  ]);
});

test('JSON is one object for each line, and facts cannot replace its own fields', () => {
  const { log, written } = lines('json');

  log.error('vassal failed', { vassal: 'blog', code: 1, level: 'fake', note: '\u202e' });

  expect(written).toHaveLength(1);
  expect(written[0]?.endsWith('}\n')).toBe(true);
  expect(JSON.parse(written[0] ?? '')).toEqual({
    at: '2026-11-20T10:00:00.123Z',
    level: 'error',
    message: 'vassal failed',
    vassal: 'blog',
    code: 1,
    note: '\\u202e',
  });
});
