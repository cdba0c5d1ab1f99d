import { compileFilter, encodeProgram } from '../seccomp/compile.ts';
import { type FilterWish, filterOf } from '../seccomp/filter.ts';

/** Most vassals have the same few lists; an emperor of many does not compile the same one for each launch. */
const MOST_KEPT = 64;
const kept = new Map<string, string>();

/** The program of a list, as the keeper takes it. */
export function seccompProgram(wish: FilterWish): string {
  const key = JSON.stringify([wish.architecture, wish.words, wish.capabilities, wish.needed]);
  const known = kept.get(key);
  if (known !== undefined) return known;
  const program = encodeProgram(compileFilter(filterOf(wish)));
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, program);
  return program;
}
