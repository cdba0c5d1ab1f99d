import type { AuditFindingJson, AuditJson, AuditVerdict } from '@emperor/common/control/proof';
import { EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { type Palette, paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet } from './command.ts';
import { controlOf } from './control.ts';

/** `emperor audit NAME`: the running jail against what was promised; 0 only when all of it holds. */
export async function runAudit(args: Arguments, io: CommandIo): Promise<number> {
  const [name] = args.names;
  if (name === undefined)
    throw new EmperorError('usage', 'audit wants a NAME', { hint: 'emperor audit --help' });
  const audit = await controlOf(args).audit(name);
  io.out(
    isSet(args, 'json') ? `${JSON.stringify(audit, undefined, 2)}\n` : renderAudit(audit, paletteFor(io)),
  );
  return audit.holds ? EXIT.ok : EXIT.failure;
}

/** One line for each finding, in groups, then what they come to. */
function renderAudit(audit: AuditJson, palette: Palette): string {
  const { name, generation, revision, processes, findings } = audit;
  const lines = [palette.bold(`${name}: generation ${generation}, revision ${revision}`)];
  let group = '';
  for (const finding of findings) {
    if (finding.group !== group) lines.push('', palette.bold(finding.group));
    group = finding.group;
    lines.push(lineOf(finding, palette));
  }
  const count = (verdict: AuditVerdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const all = processes.seen === processes.all ? 'all' : `${processes.seen} of`;
  const total = `${count('ok')} ok, ${count('violated')} violated, ${count('cannot-tell')} cannot be told, ${count('note')} notes`;
  const seen = `${all} ${processes.all} processes seen`;
  const paint = audit.holds ? palette.green : palette.red;
  lines.push('', paint(`${audit.holds ? 'holds' : 'does not hold'}: ${total}; ${seen}`), '');
  return lines.join('\n');
}

const PAINTS: Readonly<Record<AuditVerdict, keyof Palette>> = {
  ok: 'green',
  violated: 'red',
  'cannot-tell': 'yellow',
  note: 'dim',
};

function lineOf({ what, promised, found, verdict, reason, pid }: AuditFindingJson, palette: Palette): string {
  const who = pid === null ? '' : ` (pid ${pid})`;
  const why = reason === null ? '' : `; ${reason}`;
  const shown = palette[PAINTS[verdict]](verdict.padEnd('cannot-tell'.length));
  return `  ${shown}  ${neutralise(`${what}${who}: promised ${promised || 'nothing'}, found ${found}${why}`)}`;
}
