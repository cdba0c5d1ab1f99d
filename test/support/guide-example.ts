import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const GUIDES = join(import.meta.dirname, '../../docs/guides');

export type GuideExample = { readonly guide: string; readonly heading: string; readonly text: string };

/** Every ini block of every guide, with the heading that it stands under. */
export function guideExamples(): readonly GuideExample[] {
  return readdirSync(GUIDES)
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => examplesOf(file.slice(0, -'.md'.length)));
}

/** The ini block under one heading of a guide. */
export function guideExample(guide: string, heading: string): string {
  const found = examplesOf(guide).find((example) => example.heading === heading);
  if (found === undefined) throw new Error(`${guide}.md has no example under "${heading}"`);
  return found.text;
}

function examplesOf(guide: string): readonly GuideExample[] {
  const sections = readFileSync(join(GUIDES, `${guide}.md`), 'utf8').split(/^## /m);
  return sections.flatMap((section) => {
    const [heading = ''] = section.split('\n');
    return [...section.matchAll(/^```ini\n([\s\S]*?)^```$/gm)].map(([, text = '']) => ({
      guide,
      heading,
      text,
    }));
  });
}
