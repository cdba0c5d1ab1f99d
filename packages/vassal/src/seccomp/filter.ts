import { type Architecture, CALL_TABLES } from './architecture.ts';
import { type CheckName, checkOf } from './checks.ts';
import { deniedByDefault, liftedByCapabilities } from './default-list.ts';
import { callsOfGroup } from './groups.ts';
import { DEFAULT_WORD } from './words.ts';

/** What becomes of a call: done, EPERM, ENOSYS as if the kernel were older, or done if its argument passes a check. */
export type Verdict = 'allow' | 'deny' | 'unknown' | CheckName;

/** A filter as a table: the verdict of every known number, and that of all others. */
export type SeccompFilter = {
  readonly architecture: Architecture;
  readonly verdicts: ReadonlyMap<number, Verdict>;
  readonly others: Verdict;
};

/** What a list means for one app. */
export type FilterWish = {
  /** Checked by `decodeWord`. */
  readonly words: readonly string[];
  readonly architecture: Architecture;
  readonly capabilities: readonly number[];
  /** Calls that stay allowed whatever the list says: init needs them. */
  readonly needed: readonly string[];
};

/**
 * Words without `~` make an allow-list, those with `~` take away from it or, alone, from everything. What is denied is
 * denied wherever it stands. A call with a check is unrestricted only when it is named itself.
 */
export function filterOf(wish: FilterWish): SeccompFilter {
  const { numbers } = CALL_TABLES[wish.architecture];
  const verdictOf = judge(wish);
  return {
    architecture: wish.architecture,
    verdicts: new Map([...numbers].map(([name, number]) => [number, verdictOf(name)])),
    others: allowedWords(wish.words).length === 0 ? 'allow' : 'unknown',
  };
}

/** Calls that `~` words name and that stay allowed all the same. */
export function stubbornCalls({ words, needed, architecture }: FilterWish): readonly string[] {
  const denied = callsOf(words.filter(isDenial).map((word) => word.slice(1)));
  const { numbers } = CALL_TABLES[architecture];
  return [...denied].filter((call) => needed.includes(call) && numbers.has(call));
}

function judge({ words, capabilities, needed }: FilterWish): (call: string) => Verdict {
  const allowed = allowedWords(words);
  const denied = callsOf(words.filter(isDenial).map((word) => word.slice(1)));
  const named = new Set(allowed.filter((word) => !word.startsWith('@')));
  const grouped = callsOf(allowed);
  const byDefault = named.has(DEFAULT_WORD) ? deniedByDefault(capabilities) : undefined;
  const lifted: readonly string[] = byDefault === undefined ? [] : liftedByCapabilities(capabilities);
  return (call) => {
    const isDenied = denied.has(call);
    if (!isDenied && (allowed.length === 0 || named.has(call) || lifted.includes(call))) return 'allow';
    const isListed = grouped.has(call) || (byDefault !== undefined && !byDefault.has(call));
    // Its flags lie in memory, where no filter sees them; without it programs fall back to clone.
    if (call === 'clone3') return 'unknown';
    return (isListed && !isDenied) || needed.includes(call) ? (checkOf(call) ?? 'allow') : 'deny';
  };
}

function isDenial(word: string): boolean {
  return word.startsWith('~');
}

function allowedWords(words: readonly string[]): readonly string[] {
  return words.filter((word) => !isDenial(word));
}

function callsOf(words: readonly string[]): ReadonlySet<string> {
  return new Set(words.flatMap((word) => (word.startsWith('@') ? (callsOfGroup(word) ?? []) : [word])));
}
