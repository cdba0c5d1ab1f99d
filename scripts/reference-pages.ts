import { EmperorError, type ErrorCode, EXIT } from '@emperor/common/errors';
import { describeMarkdown, describeSchema } from '@emperor/common/options/describe';
import { vassalOptions } from '@emperor/vassal/options';

import { openApiDocument } from '../packages/emperor/src/control/openapi.ts';

/** The generated pages of docs/reference by file name. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['vassal-options.md', vassalOptionsPage()],
    ['errors.md', errorsPage()],
    ['exit-codes.md', exitCodesPage()],
    ['vassal-file.schema.json', vassalFileSchema()],
    ['control-api.json', `${JSON.stringify(openApiDocument(), undefined, 2)}\n`],
  ]);
}

/** What each code means; the compiler demands a line for every one. */
const ERROR_MEANINGS: Readonly<Record<ErrorCode, string>> = {
  config_invalid: 'A vassal file or emperor.ini has errors; they name file, line and key.',
  usage: 'The command line is wrong.',
  vassal_unknown: 'There is no vassal of that name.',
  vassal_not_running: 'The vassal is there but does not run.',
  not_permitted: 'The caller may not do this: the control socket is open to root and the control group.',
  emperor_unreachable: 'No emperor answers on the control socket.',
  emperor_already_running: 'Another emperor uses the same directories.',
  request_invalid: 'A request on the control socket is malformed.',
  keeper_failed: 'A keeper could not be started, went away, or did not answer in time.',
  jail_failed: 'A jail could not be planned or built; `emperor why NAME` names stage, errno and object.',
  state_unwritable: 'A directory of the emperor cannot be made or written.',
  outcome_failed: 'What was asked for was tried and did not succeed.',
};

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Done.',
  failure: 'Tried, and not done.',
  usage: 'The command line is wrong; nothing was tried.',
  notRunning: 'The vassal does not run (`status NAME`, `reload NAME`).',
  unknown: 'There is no such vassal.',
  unavailable: 'The emperor cannot be reached.',
  denied: 'Not permitted.',
  config: 'The configuration is invalid.',
};

const MADE_BY = '`node scripts/generate-docs.mjs`; do not edit.';

function vassalOptionsPage(): string {
  return `# Options of a vassal file

Made from \`packages/vassal/src/options\` by ${MADE_BY}

These are the keys of \`[vassal]\`. "who" says who may set one: a file that belongs to root is the operator's, any other
file is its owner's, a tenant's. "change" says what an edit of the option does to a running vassal.

${describeMarkdown(vassalOptions)}`;
}

function errorsPage(): string {
  const rows = Object.entries(ERROR_MEANINGS).map(([code, meaning]) => [
    `\`${code}\``,
    exitOf(code),
    meaning,
  ]);
  return `# Error codes

Made from \`packages/common/src/errors.ts\` by ${MADE_BY}
The control interface answers with \`{"error": {"code", "message", "hint"}}\`; commands print the message, then \`hint: …\`.

${table(['code', 'exit code', 'meaning'], rows)}`;
}

function exitCodesPage(): string {
  const rows = Object.entries(EXIT_MEANINGS).map(([name, meaning]) => [String(exitNumber(name)), meaning]);
  return `# Exit codes

Made from \`packages/common/src/errors.ts\` by ${MADE_BY}

${table(['exit code', 'meaning'], rows)}`;
}

function vassalFileSchema(): string {
  const { $schema, ...vassal } = describeSchema(vassalOptions);
  const vars = {
    type: 'object',
    description: 'Placeholders of one’s own.',
    additionalProperties: { type: 'string' },
  };
  const schema = {
    $schema,
    title: 'A vassal file, section by section',
    type: 'object',
    additionalProperties: false,
    required: ['vassal'],
    properties: { vassal: { ...vassal, required: ['command'] }, vars },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function exitOf(code: string): string {
  const known = (Object.keys(ERROR_MEANINGS) as ErrorCode[]).find((each) => each === code);
  return known === undefined ? '' : String(new EmperorError(known, '').exitCode);
}

function exitNumber(name: string): number | undefined {
  return Object.entries(EXIT).find(([each]) => each === name)?.[1];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return `${[line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')}\n`;
}
