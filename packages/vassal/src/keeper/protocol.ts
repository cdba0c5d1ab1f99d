import { signalName } from '@emperor/common/signals';
import type { Exit, KeeperCommand, KeeperCommandName, KeeperFact, NotifyKey } from './facts.ts';
import { STAGES, type Stage } from './stages.ts';

/** The version of docs/reference/keeper-protocol.md that this emperor speaks. */
export const KEEPER_PROTOCOL = 1;

/** Longest line in either direction, without its newline. */
export const LONGEST_LINE = 2_048;

export const LONGEST_TAG = 512;
export const LONGEST_BLOB = 131_072;

const NOTIFY_KEYS: readonly NotifyKey[] = [
  'STOPPING',
  'RELOADING',
  'STATUS',
  'ERRNO',
  'WATCHDOG',
  'WATCHDOG_USEC',
  'EXTEND_TIMEOUT_USEC',
];
const COMMANDS: readonly KeeperCommandName[] = [
  'launch',
  'signal',
  'signal-all',
  'kill',
  'forget',
  'log',
  'quit',
];

/** The bytes of a command: its line and, for `launch`, the counted bytes that follow it. */
export function encodeCommand(command: KeeperCommand): Uint8Array {
  switch (command.do) {
    case 'launch':
      return encodeLaunch(command.generation, command.tag, command.blob);
    case 'signal':
    case 'signal-all':
      return line(command.do, command.generation, command.signal);
    case 'kill':
    case 'forget':
      return line(command.do, command.generation);
    case 'log':
      return line('log', command.limits.maxBytes, command.limits.keep, command.limits.linesPerSecond);
    case 'quit':
      return line('quit');
  }
}

/** The fact that a keeper's line (without newline) states, or undefined when it states none that we know. */
export function decodeFact(text: string): KeeperFact | undefined {
  const words = new Words(text);
  const decode = DECODERS.get(words.word() ?? '');
  return decode?.(words);
}

/** The text of a last field, in which control characters and the backslash are written `\xHH`. */
export function unescapeText(text: string): string {
  return text.replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function encodeLaunch(generation: number, tag: string, blob: Uint8Array): Uint8Array {
  const tagBytes = Buffer.from(tag, 'utf8');
  if (tagBytes.length > LONGEST_TAG)
    throw new RangeError(`tag of ${tagBytes.length} bytes, at most ${LONGEST_TAG}`);
  if (blob.length > LONGEST_BLOB)
    throw new RangeError(`blob of ${blob.length} bytes, at most ${LONGEST_BLOB}`);
  return Buffer.concat([line('launch', generation, tagBytes.length, blob.length), tagBytes, blob]);
}

function line(command: KeeperCommandName, ...numbers: readonly number[]): Uint8Array {
  for (const number of numbers) {
    if (!Number.isSafeInteger(number) || number < 0)
      throw new RangeError(`${command}: not a count: ${number}`);
  }
  return Buffer.from(`${[command, ...numbers].join(' ')}\n`, 'latin1');
}

/** Takes the fields of a line one by one; undefined once a field is missing or is not what was asked for. */
class Words {
  #rest: string | undefined;

  constructor(text: string) {
    this.#rest = text;
  }

  word(): string | undefined {
    if (this.#rest === undefined) return undefined;
    const end = this.#rest.indexOf(' ');
    const word = end < 0 ? this.#rest : this.#rest.slice(0, end);
    this.#rest = end < 0 ? undefined : this.#rest.slice(end + 1);
    return word === '' ? undefined : word;
  }

  count(): number | undefined {
    const word = this.word();
    if (word === undefined || !/^\d{1,16}$/.test(word)) return undefined;
    const number = Number(word);
    return Number.isSafeInteger(number) ? number : undefined;
  }

  /** Everything that is left, unescaped; the empty string when there is nothing. */
  rest(): string {
    const rest = unescapeText(this.#rest ?? '');
    this.#rest = undefined;
    return rest;
  }

  /** `fact`, provided that nothing is left over. */
  closed<T>(fact: T): T | undefined {
    return this.#rest === undefined ? fact : undefined;
  }
}

const DECODERS: ReadonlyMap<string, (words: Words) => KeeperFact | undefined> = new Map([
  ['hello', decodeHello],
  ['launching', decodeLaunching],
  ['launched', decodeLaunched],
  ['fail', decodeFail],
  ['ready', decodeReady],
  ['notify', decodeNotify],
  ['touched', (words) => decodeOfGeneration('touched', words)],
  ['exited', decodeExited],
  ['gone', (words) => decodeOfGeneration('gone', words)],
  ['dropped', decodeDropped],
  ['trouble', decodeTrouble],
  ['ack', decodeAck],
  ['replayed', (words) => words.closed({ type: 'replayed' })],
] satisfies [string, (words: Words) => KeeperFact | undefined][]);

function decodeHello(words: Words): KeeperFact | undefined {
  const [version, pid, startTicks] = [words.count(), words.count(), words.count()];
  if (version === undefined || pid === undefined || startTicks === undefined) return undefined;
  return { type: 'hello', version, pid, startTicks, name: words.rest() };
}

function decodeLaunching(words: Words): KeeperFact | undefined {
  const [generation, at] = [words.count(), words.count()];
  if (generation === undefined || at === undefined) return undefined;
  return { type: 'launching', generation, at, tag: words.rest() };
}

function decodeLaunched(words: Words): KeeperFact | undefined {
  const [generation, at, initPid, appPid] = [words.count(), words.count(), words.count(), words.count()];
  if (generation === undefined || at === undefined || initPid === undefined || appPid === undefined)
    return undefined;
  return { type: 'launched', generation, at, initPid, appPid, tag: words.rest() };
}

function decodeFail(words: Words): KeeperFact | undefined {
  const generation = words.count();
  const failure = decodeFailure(words);
  return generation === undefined || failure === undefined
    ? undefined
    : { type: 'fail', generation, failure };
}

function decodeTrouble(words: Words): KeeperFact | undefined {
  const failure = decodeFailure(words);
  return failure === undefined ? undefined : { type: 'trouble', failure };
}

function decodeFailure(words: Words): { stage: Stage; errno: number; what: string } | undefined {
  const word = words.word();
  const stage = STAGES.find((known) => known === word);
  const errno = words.count();
  return stage === undefined || errno === undefined ? undefined : { stage, errno, what: words.rest() };
}

function decodeReady(words: Words): KeeperFact | undefined {
  const [generation, at] = [words.count(), words.count()];
  return generation === undefined || at === undefined
    ? undefined
    : words.closed({ type: 'ready', generation, at });
}

function decodeNotify(words: Words): KeeperFact | undefined {
  const [generation, word] = [words.count(), words.word()];
  const key = NOTIFY_KEYS.find((known) => known === word);
  return generation === undefined || key === undefined
    ? undefined
    : { type: 'notify', generation, key, value: words.rest() };
}

function decodeOfGeneration(type: 'touched' | 'gone', words: Words): KeeperFact | undefined {
  const generation = words.count();
  return generation === undefined ? undefined : words.closed({ type, generation });
}

function decodeExited(words: Words): KeeperFact | undefined {
  const [generation, at] = [words.count(), words.count()];
  const exit = decodeExit(words.word(), words.count());
  const counters = decodeCounters(words.word());
  if (generation === undefined || at === undefined || exit === undefined || counters === undefined)
    return undefined;
  return words.closed({ type: 'exited', generation, at, exit, counters });
}

function decodeExit(by: string | undefined, number: number | undefined): Exit | undefined {
  if (number === undefined) return undefined;
  if (by === 'code') return { by, code: number };
  return by === 'signal' ? { by, signal: signalName(number) } : undefined;
}

function decodeCounters(word: string | undefined): Readonly<Record<string, number>> | undefined {
  if (word === undefined) return undefined;
  if (word === '-') return {};
  const pairs = word.split(',').map((pair) => /^([a-z][a-z0-9_.-]*)=(\d{1,16})$/.exec(pair));
  const counters: Record<string, number> = {};
  for (const pair of pairs) {
    const [, name, digits] = pair ?? [];
    if (name === undefined || digits === undefined) return undefined;
    counters[name] = Number(digits);
  }
  return counters;
}

function decodeDropped(words: Words): KeeperFact | undefined {
  const [lines, bytes] = [words.count(), words.count()];
  return lines === undefined || bytes === undefined
    ? undefined
    : words.closed({ type: 'dropped', lines, bytes });
}

function decodeAck(words: Words): KeeperFact | undefined {
  const word = words.word();
  const command = COMMANDS.find((known) => known === word);
  const [generation, errno] = [words.count(), words.count()];
  if (command === undefined || generation === undefined || errno === undefined) return undefined;
  return words.closed({ type: 'ack', command, generation, errno });
}
