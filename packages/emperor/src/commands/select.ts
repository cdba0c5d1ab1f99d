import { EmperorError } from '@emperor/common/errors';
import { nearestName } from '@emperor/common/options/nearest';

const PATTERN_CHARACTER = /[*?[]/;

/** Does this operand stand for several vassals (`web-*`)? */
export function isPattern(operand: string): boolean {
  return PATTERN_CHARACTER.test(operand);
}

/**
 * The names that the operands mean, each once, in the order of the operands. Throws EmperorError('vassal_unknown')
 * for a name or pattern that meets nothing.
 */
export function selectNames(operands: readonly string[], known: readonly string[]): readonly string[] {
  const names = new Set(known);
  const selected = new Set<string>();
  for (const operand of operands) {
    for (const name of meant(operand, names)) selected.add(name);
  }
  return [...selected];
}

function meant(operand: string, known: ReadonlySet<string>): readonly string[] {
  if (known.has(operand)) return [operand];
  if (!isPattern(operand)) throw unknownVassal(operand, known);
  const pattern = patternOf(operand);
  const matching = [...known].filter((name) => pattern?.test(name));
  if (matching.length > 0) return matching;
  throw new EmperorError('vassal_unknown', `no vassal matches ${operand}`, {
    hint: 'emperor status lists all',
  });
}

function unknownVassal(operand: string, known: ReadonlySet<string>): EmperorError {
  const near = nearestName(operand, known);
  const hint = near === undefined ? 'emperor status lists all' : `did you mean ${near}?`;
  return new EmperorError('vassal_unknown', `no such vassal: ${operand}`, { hint });
}

/**
 * As in a shell: `*` any text, `?` one character, `[a-z]` `[!a-z]` one of a set; the whole name must match. Undefined
 * for a set that is none (`[z-a]`).
 */
function patternOf(glob: string): RegExp | undefined {
  let source = '';
  for (const part of glob.match(/\[!?\]?[^\]]*\]|[\s\S]/g) ?? []) source += regexOf(part);
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return undefined;
  }
}

function regexOf(part: string): string {
  if (part === '*') return '.*';
  if (part === '?') return '.';
  if (part.length === 1) return part.replace(/[\\^$.|+(){}[\]/-]/, '\\$&');
  const negated = part.startsWith('[!');
  const set = part.slice(negated ? 2 : 1, -1).replace(/[\\\]^]/g, '\\$&');
  return `[${negated ? '^' : ''}${set}]`;
}
