import { type Clock, systemClock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { serviceNotify } from '@emperor/vassal/keeper/service-notify';
import { vassalOptions } from '@emperor/vassal/options';
import { diffSpec } from '@emperor/vassal/spec/diff';
import { act } from './actions.ts';
import { adoptKeepers } from './adopt.ts';
import { answersOf } from './answers.ts';
import { proofOf } from './audit/proof.ts';
import { buildWorld } from './build-world.ts';
import { type Configuration, configurationOf } from './configuration.ts';
import { decoderOf } from './decoder.ts';
import { replayAdopted } from './effects/listen.ts';
import { executorsIn } from './effects/table.ts';
import { Emperor } from './emperor.ts';
import { eventOf, launchFailureExplainer } from './explain/events.ts';
import { usageTargetsOf } from './groups.ts';
import { type Host, openHost } from './host.ts';
import { KEEPER_BINARY } from './keeper-binary.ts';
import { winstonLog } from './log/winston-log.ts';
import { directoryMonitor } from './monitor/directory.ts';
import { logReader } from './output/read.ts';
import type { ControlPort } from './ports.ts';
import { DEFAULT_LIFECYCLE } from './rules.ts';
import type { EmperorSettings } from './settings.ts';
import { Source } from './source.ts';
import { openMetrics } from './stats/openmetrics.ts';
import { sampler } from './stats/sample.ts';
import { type EndOfRun, untilSignalled } from './until-signalled.ts';
import { VERSION } from './version.ts';

/** What whoever started us gave along. */
export type StartedBy = {
  /** Where the service manager wants to hear that we are up; undefined: nobody wants to. */
  readonly notifySocket: string | undefined;
  /** A handover asked for so far is heard from now on. */
  readonly letHandoverThrough: () => void;
};

/** The composition root: build every port, hand them to the emperor, run until a signal ends it. */
export async function runEmperor(settings: EmperorSettings, startedBy: StartedBy): Promise<number> {
  const clock = systemClock;
  const log = winstonLog({ level: settings.logLevel, format: settings.logFormat });
  let emperor: Emperor | undefined;
  const host = await openHost({
    settings,
    clock,
    log,
    isQuiet: () => emperor?.hasBegun === true && !emperor.isLaunching,
  });
  const configuration = configurationOf(settings, log);
  emperor = new Emperor({
    clock,
    log,
    store: host.store,
    diff: (from, to) => diffSpec(from, to, vassalOptions),
    defaults: DEFAULT_LIFECYCLE,
    slots: settings.maxStarting,
    random: Math.random,
  });
  const run: Run = { settings, clock, log, host, configuration, emperor };
  const source = await sourceOf(run);
  const lookAgain = () => void configuration.reload().then(() => source.lookAgain());
  // From here on a signal is heard, also one that comes while vassals are being adopted.
  const over = untilSignalled({ emperor, log, clock, lookAgain });
  startedBy.letHandoverThrough();

  const adopted = await begin(run, source);
  log.info('emperor runs', {
    version: VERSION,
    vassals: emperor.vassals.size,
    adopted,
    dir: settings.paths.vassals,
  });

  // Loaded only now: what vassals need to run comes before what people need to look.
  const { serveControl } = await import('./control/server.ts');
  const socketPath = `${settings.paths.runtimeDir}/control.sock`;
  const port = controlPortOf(run, source, lookAgain);
  const control = await serveControl({
    port,
    metricsOf: openMetrics,
    socketPath,
    group: host.controlGroup,
    version: VERSION,
    log,
    clock,
  });

  const tell = serviceNotify({ keeperBinary: KEEPER_BINARY, socket: startedBy.notifySocket, log });
  await tell(`READY=1\nSTATUS=${emperor.vassals.size} vassals, ${adopted} of them ran already`);

  const end = await over;
  await tell('STOPPING=1');
  log.info(END[end], { vassals: emperor.vassals.size });
  await source.close();
  await control.close();
  await closeHost(host, end, log);
  return 0;
}

/** Adopt what was left, read the files, begin. Resolves with the number of adopted keepers. */
async function begin({ host, clock, log, emperor }: Run, source: Source): Promise<number> {
  const world = buildWorld({ emperor, host, clock, log });
  const adopted = await adoptKeepers({ world, host, log });
  const executors = executorsIn(world);
  // Where nothing was left, the first vassals start while the files of the others are read.
  const isAnew = emperor.vassals.size === 0;
  if (isAnew) emperor.begin(executors);
  await source.begin();
  if (!isAnew) emperor.begin(executors);
  replayAdopted(world);
  return adopted;
}

const END: Readonly<Record<EndOfRun, string>> = {
  handover: 'handing over: all vassals live on',
  stopped: 'all vassals stopped',
};

type Run = {
  readonly settings: EmperorSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: Host;
  readonly configuration: Configuration;
  readonly emperor: Emperor;
};

async function sourceOf({ settings, clock, log, host, configuration, emperor }: Run): Promise<Source> {
  const { facts, hostname, ask, store, inHand } = host;
  const monitor = directoryMonitor({ directory: settings.paths.vassals, clock, log });
  const decoder = await decoderOf({ clock, host: facts, hostname, ask, layers: configuration.layers });
  return new Source({ monitor, emperor, decoder, store, inHand, clock, log });
}

function controlPortOf(run: Run, source: Source, lookAgain: () => void): ControlPort {
  const { settings, clock, log, host, configuration, emperor } = run;
  const logs = logReader({ logDir: settings.paths.logDir });
  const answers = answersOf({
    emperor,
    clock,
    version: VERSION,
    pid: process.pid,
    sampler: sampler({ clock, log }),
    logs,
    sourceDiagnostics: () => source.diagnostics,
    hostDiagnostics: () => [...host.diagnostics, ...configuration.diagnostics()],
    ownerName: host.ownerName,
    privateUid: host.uids.known,
    idRange: host.idRanges.known,
    rootless: host.facts.rootless,
    usageTarget: usageTargetsOf(host),
    explainFailure: launchFailureExplainer,
  });
  return {
    status: answers.status,
    vassal: answers.vassal,
    why: answers.why,
    act: (request) => act({ emperor, store: host.store, answers, log }, request),
    logs,
    proof: proofOf({ emperor, host, clock, log, layers: configuration.layers }),
    subscribe: (listener) => emperor.onChange((change) => listener(eventOf(change, clock))),
    lookAgain,
  };
}

async function closeHost(host: Host, end: EndOfRun, log: Log): Promise<void> {
  await host.keepers.close();
  await host.store
    .flush()
    .catch((error: unknown) => log.error('state not saved', { error: describeError(error) }));
  if (end === 'stopped') await host.removeGroups();
  host.inHand.close();
  for (const lock of host.locks) lock.release();
}
