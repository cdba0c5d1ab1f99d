import { systemClock } from '@emperor/common/clock';
import { describeError } from '@emperor/common/errors';
import { vassalOptions } from '@emperor/vassal/options';
import { diffSpec } from '@emperor/vassal/spec/diff';
import { act } from './actions.ts';
import { adoptKeepers } from './adopt.ts';
import { answersOf } from './answers.ts';
import { buildWorld } from './build-world.ts';
import { configurationOf } from './configuration.ts';
import { decoderOf } from './decoder.ts';
import { executorsIn } from './effects/table.ts';
import { Emperor } from './emperor.ts';
import { eventOf, launchFailureExplainer } from './explain/events.ts';
import { usageTargetOf } from './groups.ts';
import { openHost } from './host.ts';
import { winstonLog } from './log/winston-log.ts';
import { directoryMonitor } from './monitor/directory.ts';
import { logReader } from './output/read.ts';
import type { ControlPort } from './ports.ts';
import { DEFAULT_LIFECYCLE } from './rules.ts';
import type { EmperorSettings } from './settings.ts';
import { Source } from './source.ts';
import { sampler } from './stats/sample.ts';
import { untilSignalled } from './until-signalled.ts';
import { VERSION } from './version.ts';

/** The composition root: build every port, hand them to the emperor, run until a signal ends it. */
export async function runEmperor(settings: EmperorSettings): Promise<number> {
  const clock = systemClock;
  const log = winstonLog({ level: settings.logLevel, format: settings.logFormat });
  const host = await openHost({ settings, clock, log });
  const { store, uids, inHand, locks } = host;
  const configuration = configurationOf(settings, log);
  const emperor = new Emperor({
    clock,
    log,
    store,
    diff: (from, to) => diffSpec(from, to, vassalOptions),
    defaults: DEFAULT_LIFECYCLE,
    slots: settings.maxStarting,
    random: Math.random,
  });
  const world = buildWorld({ emperor, host, clock, log });
  const monitor = directoryMonitor({ directory: settings.paths.vassals, clock, log });
  const decoder = await decoderOf({
    host: host.facts,
    hostname: host.hostname,
    ask: host.ask,
    layers: configuration.layers,
  });
  const source = new Source({ monitor, emperor, decoder, store, inHand, clock, log });

  const adopted = await adoptKeepers({ world, host, log });
  await monitor.watch(() => void source.look());
  await source.look();
  emperor.begin(executorsIn(world));
  log.info('emperor runs', {
    version: VERSION,
    vassals: emperor.vassals.size,
    adopted,
    dir: settings.paths.vassals,
  });

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
    privateUid: uids.known,
    usageTarget: (held) => usageTargetOf(host, held),
    explainFailure: launchFailureExplainer,
  });
  const port: ControlPort = {
    status: answers.status,
    vassal: answers.vassal,
    why: answers.why,
    act: (request) => act({ emperor, store, answers, log }, request),
    logs,
    subscribe: (listener) => emperor.onChange((change) => listener(eventOf(change, clock))),
    lookAgain: () => void configuration.reload().then(() => source.lookAgain()),
  };
  // Loaded only now: what vassals need to run comes before what people need to look.
  const { serveControl } = await import('./control/server.ts');
  const socketPath = `${settings.paths.runtimeDir}/control.sock`;
  const control = await serveControl({
    port,
    socketPath,
    group: host.controlGroup,
    version: VERSION,
    log,
    clock,
  });

  const end = await untilSignalled({ emperor, log, clock, lookAgain: port.lookAgain });
  log.info(end === 'handover' ? 'handing over: all vassals live on' : 'all vassals stopped', {
    vassals: emperor.vassals.size,
  });
  source.close();
  await monitor.close();
  await control.close();
  await host.keepers.close();
  await store
    .flush()
    .catch((error: unknown) => log.error('state not saved', { error: describeError(error) }));
  if (end === 'stopped') await host.removeGroups();
  inHand.close();
  for (const lock of locks) lock.release();
  return 0;
}
