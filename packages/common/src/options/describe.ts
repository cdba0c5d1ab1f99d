import { formatValue } from './kinds.ts';
import type { OnChange, Option, Table } from './option.ts';

const CHANGE: Readonly<Record<OnChange, string>> = {
  live: 'applied to the running vassal',
  reload: 'the vassal reloads',
  restart: 'the vassal restarts',
};

/** A JSON schema object. */
export type Schema = Readonly<Record<string, unknown>>;

/** The reference page of a table: one chapter for each group, one section for each option, in the table's order. */
export function describeMarkdown(table: Table): string {
  const rows = Object.entries(table);
  const groups = new Set(rows.map(([, row]) => row.group));
  const chapters = [...groups].map((group) => {
    const sections = rows.filter(([, row]) => row.group === group).map(([key, row]) => markdownOf(key, row));
    return [`## ${group}`, ...sections].join('\n\n');
  });
  return `${chapters.join('\n\n')}\n`;
}

/** What the option `key` is, for a terminal; undefined when there is no such option. */
export function describeText(table: Table, key: string): string | undefined {
  const row = Object.hasOwn(table, key) ? table[key] : undefined;
  if (row === undefined) return undefined;
  const facts = factsOf(row).map(([name, value]) => `  ${name.padEnd(9)}${value}`);
  return [`${key} = ${placeholderOf(row)}`, `  ${row.help}`, '', ...facts].join('\n');
}

/** JSON schema of one section of the file as an object: keys to their text, or to a list of texts where it repeats. */
export function describeSchema(table: Table): Schema {
  const properties = Object.entries(table).map(([key, row]) => [key, schemaOf(row)]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

/** The default of a row in its text form; undefined when it is unset. */
export function describeDefault(row: Option<unknown>): string | undefined {
  const texts = formatValue(row.kind, row.default);
  return texts.length === 0 || texts.join('') === '' ? undefined : texts.join(', ');
}

function markdownOf(key: string, row: Option<unknown>): string {
  const facts = factsOf(row).map(([name, value]) => `| ${name} | ${escapeCell(value)} |`);
  return [`### \`${key}\``, escapeProse(row.help), ['| | |', '|---|---|', ...facts].join('\n')].join('\n\n');
}

function factsOf(row: Option<unknown>): readonly (readonly [string, string])[] {
  return [
    ['value', row.kind.hint],
    ['default', describeDefault(row) ?? 'unset'],
    ['list', row.kind.repeat ? 'yes, the key may be repeated' : 'no'],
    ['who', row.who === 'tenant' ? 'tenants within policy, and the operator' : 'the operator'],
    ['change', CHANGE[row.onChange]],
    ['since', row.since],
  ];
}

function schemaOf(row: Option<unknown>): Schema {
  const { kind, help } = row;
  const preset = describeDefault(row);
  return {
    description: help,
    ...(kind.repeat ? { anyOf: [kind.schema, { type: 'array', items: kind.schema }] } : kind.schema),
    ...(preset === undefined ? {} : { default: preset }),
  };
}

function placeholderOf(row: Option<unknown>): string {
  return `<${row.kind.hint}>`;
}

function escapeCell(text: string): string {
  return escapeProse(text).replaceAll('|', '\\|');
}

/** Text between backticks shows as it is. */
function escapeProse(text: string): string {
  const parts = text.split('`');
  return parts.map((part, index) => (index % 2 === 0 ? escapeMarks(part) : part)).join('`');
}

function escapeMarks(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('*', '\\*').replaceAll('_', '\\_');
}
