const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/** Cuts a stream of bytes into lines. A line that grows beyond `longest` bytes makes it give up for good. */
export class Lines {
  readonly #longest: number;
  #rest: Buffer = NOTHING;
  #overflowed = false;

  constructor(longest: number) {
    this.#longest = longest;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** The lines that `chunk` completes, without newlines. */
  take(chunk: Buffer): readonly string[] {
    if (this.#overflowed) return [];
    const lines: string[] = [];
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      if (to - from > this.#longest) return this.#giveUp(lines);
      lines.push(bytes.toString('utf8', from, to));
      from = to + 1;
    }
    // A copy: a view would keep the whole chunk alive.
    this.#rest = from === bytes.length ? NOTHING : Buffer.from(bytes.subarray(from));
    return this.#rest.length > this.#longest ? this.#giveUp(lines) : lines;
  }

  #giveUp(lines: readonly string[]): readonly string[] {
    this.#overflowed = true;
    this.#rest = NOTHING;
    return lines;
  }
}
