/** Longer words are no typing mistakes; this and the next bound keep the cost of a hostile file small. */
const LONGEST_WORD = 40;
/** Names after these are not looked at. */
const MOST_KNOWN = 500;

/** The known name that `word` most likely meant; undefined when none is near (about one mistake in three letters). */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  let best: { readonly name: string; readonly distance: number } | undefined;
  let looked = 0;
  for (const name of known) {
    looked += 1;
    if (looked > MOST_KNOWN) break;
    const bound = Math.min(3, Math.floor(Math.max(word.length, name.length) / 3), (best?.distance ?? 4) - 1);
    if (Math.abs(word.length - name.length) > bound) continue;
    const distance = damerau(word.toLowerCase(), name.toLowerCase());
    if (distance <= bound) best = { name, distance };
  }
  return best?.name;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `from` into `to`. */
function damerau(from: string, to: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const differs = from[row - 1] === to[column - 1] ? 0 : 1;
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          at(last, column) + 1,
          at(current, column - 1) + 1,
          at(last, column - 1) + differs,
          swapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
