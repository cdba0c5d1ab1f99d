import { posix } from 'node:path';

/** `path` without double, trailing or dot parts, as the keeper wants it. */
export function plain(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** `path` is `directory` or lies below it. */
export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

/** Those that lie below none of the others. */
export function outermost(paths: readonly string[]): readonly string[] {
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => other !== path && isBelow(path, other)));
}

/** The directory that `path` stands in; `''` for one in `/`. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** A path as mountinfo writes it: blanks and backslashes are octal numbers. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
