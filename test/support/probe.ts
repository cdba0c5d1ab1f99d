import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, 'probe.c');
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/emperor-probe');

/** The compiled probe (static, so that it runs in any root); compiled once per version of its source. */
export function compiledProbe(): string {
  const hash = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16);
  const path = join(CACHE, `probe-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const made = spawnSync('cc', ['-static', '-O1', '-Wall', '-Wextra', '-o', `${path}.new`, SOURCE], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`cannot compile the probe: ${made.error?.message ?? made.stderr}`);
  renameSync(`${path}.new`, path);
  return path;
}

/** What the probe saw inside its jail. */
export class ProbeFacts {
  readonly #facts: readonly Fact[];

  constructor(lines: readonly string[]) {
    this.#facts = lines.flatMap(decodeFact);
  }

  /** All facts of a kind, by key. */
  all(kind: string): ReadonlyMap<string, string> {
    return new Map(this.#facts.filter((fact) => fact.fact === kind).map((fact) => [fact.key, fact.value]));
  }

  /** One fact; undefined when the probe did not see it. */
  get(kind: string, key = ''): string | undefined {
    return this.all(kind).get(key);
  }

  /** Names that the probe found in a directory it was asked to list. */
  entries(dir: string): readonly string[] {
    return this.#facts.filter((fact) => fact.fact === 'entry' && fact.key === dir).map((fact) => fact.value);
  }
}

type Fact = { readonly fact: string; readonly key: string; readonly value: string };

function decodeFact(line: string): readonly Fact[] {
  if (!line.startsWith('{"fact"')) return [];
  const fact: Fact = JSON.parse(line);
  return [fact];
}
