/** Linux numbers 1 to 31, the same on x86-64 and arm64. */
const NAMES: readonly string[] = [
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
  'STKFLT',
  'CHLD',
  'CONT',
  'STOP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'XCPU',
  'XFSZ',
  'VTALRM',
  'PROF',
  'WINCH',
  'IO',
  'PWR',
  'SYS',
];
const SYNONYMS: ReadonlyMap<string, number> = new Map([
  ['CLD', 17],
  ['IOT', 6],
  ['POLL', 29],
]);
/** As glibc counts them: the C library keeps 32 and 33 for itself. */
const FIRST_REAL_TIME = 34;
const LAST_SIGNAL = 64;
const REAL_TIME = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/;

/** The number of `TERM`, `SIGTERM`, `15`, `SIG34` or `RTMIN+3`, in any case; undefined for anything else. */
export function decodeSignal(text: string): number | undefined {
  const word = text.toUpperCase().replace(/^SIG/, '');
  if (/^\d{1,2}$/.test(word)) return inRange(Number(word), 1);
  const index = NAMES.indexOf(word);
  return index >= 0 ? index + 1 : (SYNONYMS.get(word) ?? decodeRealTime(word));
}

/** `SIGTERM`; `SIG34` where a number has no name of its own. */
export function signalName(number: number): string {
  return `SIG${NAMES[number - 1] ?? number}`;
}

function decodeRealTime(word: string): number | undefined {
  const [, base, sign = '+', offset = '0'] = REAL_TIME.exec(word) ?? [];
  if (base === undefined) return undefined;
  const from = base === 'RTMIN' ? FIRST_REAL_TIME : LAST_SIGNAL;
  return inRange(sign === '+' ? from + Number(offset) : from - Number(offset), FIRST_REAL_TIME);
}

function inRange(number: number, first: number): number | undefined {
  return number >= first && number <= LAST_SIGNAL ? number : undefined;
}
