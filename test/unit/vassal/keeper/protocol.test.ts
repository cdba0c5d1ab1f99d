import { decodeFact, encodeCommand, unescapeText } from '@emperor/vassal/keeper/protocol';
import { expect, test } from 'vitest';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test.each([
  ['hello 1 4702 991234 blog', { type: 'hello', version: 1, pid: 4702, startTicks: 991_234, name: 'blog' }],
  ['launching 7 1000 rev=1 x', { type: 'launching', generation: 7, at: 1000, tag: 'rev=1 x' }],
  [
    'launched 7 1000 31 32 rev\\x0a\\x5c',
    { type: 'launched', generation: 7, at: 1000, initPid: 31, appPid: 32, tag: 'rev\n\\' },
  ],
  ['launched 7 1000 31 32 ', { type: 'launched', generation: 7, at: 1000, initPid: 31, appPid: 32, tag: '' }],
  [
    'fail 7 exec 2 no such program: ü',
    { type: 'fail', generation: 7, failure: { stage: 'exec', errno: 2, what: 'no such program: ü' } },
  ],
  ['ready 7 1001', { type: 'ready', generation: 7, at: 1001 }],
  ['notify 7 STATUS half way', { type: 'notify', generation: 7, key: 'STATUS', value: 'half way' }],
  ['notify 7 STOPPING 1', { type: 'notify', generation: 7, key: 'STOPPING', value: '1' }],
  ['touched 7', { type: 'touched', generation: 7 }],
  [
    'exited 7 1002 code 3 -',
    { type: 'exited', generation: 7, at: 1002, exit: { by: 'code', code: 3 }, counters: {} },
  ],
  [
    'exited 7 1002 signal 9 oom_kill=1,pids_max=4',
    {
      type: 'exited',
      generation: 7,
      at: 1002,
      exit: { by: 'signal', signal: 'SIGKILL' },
      counters: { oom_kill: 1, pids_max: 4 },
    },
  ],
  ['gone 7', { type: 'gone', generation: 7 }],
  ['dropped 12 3400', { type: 'dropped', lines: 12, bytes: 3400 }],
  [
    'trouble log 28 /var/log/emperor/blog/current',
    { type: 'trouble', failure: { stage: 'log', errno: 28, what: '/var/log/emperor/blog/current' } },
  ],
  ['ack signal-all 7 0', { type: 'ack', command: 'signal-all', generation: 7, errno: 0 }],
  ['ack quit 0 16', { type: 'ack', command: 'quit', generation: 0, errno: 16 }],
  ['replayed', { type: 'replayed' }],
])('%j is a fact', (line, fact) => {
  expect(decodeFact(line)).toEqual(fact);
});

test.each([
  '',
  ' ',
  'hello',
  'hello 1 x 3 blog',
  'hello 1 99999999999999999999 3 blog',
  'launched 7 1000 31',
  'launched -7 1000 31 32 tag',
  'fail 7 nowhere 2 what',
  'ready 7',
  'ready 7 8 9',
  'notify 7 READY 1',
  'exited 7 1002 code 3',
  'exited 7 1002 code x -',
  'exited 7 1002 gently 3 -',
  'exited 7 1002 code 3 __proto__=1',
  'exited 7 1002 code 3 a=1,',
  'exited 7 1002 code 3 - -',
  'ack dance 7 0',
  'replayed twice',
  '__proto__ 1',
  'constructor',
  'toString 7',
])('%j is no fact', (line) => {
  expect(decodeFact(line)).toBeUndefined();
});

test('a launch carries its tag and blob as counted bytes', () => {
  const blob = Buffer.from('arg\0true\0');

  const bytes = encodeCommand({ do: 'launch', generation: 3, tag: 'é\n', blob });

  expect(latin1(bytes)).toBe(`launch 3 3 9\n${Buffer.from('é\n').toString('latin1')}arg\0true\0`);
});

test.each([
  [{ do: 'signal', generation: 3, signal: 15 }, 'signal 3 15\n'],
  [{ do: 'signal-all', generation: 3, signal: 15 }, 'signal-all 3 15\n'],
  [{ do: 'kill', generation: 3 }, 'kill 3\n'],
  [{ do: 'forget', generation: 3 }, 'forget 3\n'],
  [{ do: 'log', limits: { maxBytes: 100, keep: 2, linesPerSecond: 0 } }, 'log 100 2 0\n'],
  [{ do: 'quit' }, 'quit\n'],
] as const)('%j is one line', (command, line) => {
  expect(latin1(encodeCommand(command))).toBe(line);
});

test('what the keeper could not read is not sent', () => {
  const blob = new Uint8Array(0);

  expect(() => encodeCommand({ do: 'signal', generation: 3, signal: -1 })).toThrow(RangeError);
  expect(() => encodeCommand({ do: 'kill', generation: 1.5 })).toThrow(RangeError);
  expect(() => encodeCommand({ do: 'launch', generation: 1, tag: 'x'.repeat(513), blob })).toThrow(
    RangeError,
  );
  expect(() =>
    encodeCommand({ do: 'launch', generation: 1, tag: '', blob: new Uint8Array(131_073) }),
  ).toThrow(RangeError);
});

test('escaping is undone by unescaping, whatever the text', () => {
  const hostile = 'a\0b\n\\x41\x7f\u{1f600} \\';

  expect(escapeText(hostile)).not.toMatch(/[\0\n\x7f]/);
  expect(unescapeText(escapeText(hostile))).toBe(hostile);
});

/** As the keeper escapes the last field of a fact. */
function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(
    /[\x00-\x1f\x7f\\]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
