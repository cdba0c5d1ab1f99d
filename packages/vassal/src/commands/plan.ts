import { EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { planCgroups } from '../cgroup/limits.ts';
import type { Directive } from '../jail/directive.ts';
import { jailNotes } from '../jail/mounts.ts';
import { planJail } from '../jail/plan.ts';
import type { Provenance } from '../spec/build.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { CommandIo } from './command.ts';
import { type Loaded, loadVassal, showDiagnostics } from './load.ts';

/** Stands for the private uid that an emperor would give. */
const SOME_PRIVATE_UID = 400_000;

/** `vassal plan FILE`: every option with where it came from and what became of it, and the jail; runs nothing. */
export async function runPlan(file: string, io: CommandIo): Promise<number> {
  const loaded = await loadVassal(file);
  const isGood = showDiagnostics(loaded, io);
  if (loaded.spec === undefined || !isGood) return EXIT.config;
  io.out(`# options of ${loaded.spec.name}: granted, and where from\n`);
  for (const option of loaded.granted) io.out(`${neutralise(describeOption(option))}\n`);
  io.out('\n# the jail, as the keeper is told\n');
  for (const directive of planOf(loaded.spec, loaded))
    io.out(`${neutralise(describeDirective(directive))}\n`);
  for (const note of jailNotes(loaded.spec, [])) io.out(`\nnote: ${neutralise(note)}\n`);
  return EXIT.ok;
}

function planOf(spec: VassalSpec, { host }: Loaded): readonly Directive[] {
  const { uid, gid } = spec.identity;
  const place = { instance: 'INSTANCE', ownerUid: spec.owner.uid, name: spec.name, generation: 1 };
  return planJail(spec, host, {
    uid: uid === 'auto' ? SOME_PRIVATE_UID : uid,
    gid: gid === 'auto' ? SOME_PRIVATE_UID : gid,
    cgroups: planCgroups(spec.limits, host.cgroups, place),
    scratchDir: '/run/emperor/jail',
    notifyPath: `/run/emperor/notify/${spec.name}`,
    hide: [],
  });
}

function describeOption({ key, granted, asked, layer, file, line, reason }: Provenance): string {
  const where = file === undefined ? layer : `${file}:${line ?? '?'}`;
  const why = reason === undefined ? '' : `; ${reason}`;
  const wish = asked === undefined || asked === granted ? '' : `; asked ${asked}`;
  return `${key} = ${granted === '' ? '-' : granted}    (${where}${wish}${why})`;
}

function describeDirective({ word, args }: Directive): string {
  return [word, ...args.map((argument) => JSON.stringify(argument))].join(' ');
}
