import { decodeDuration, formatDuration } from '@emperor/common/duration';
import { parsed, text } from '@emperor/common/options/kinds';
import type { Decoded, Kind } from '@emperor/common/options/option';
import type { Ready } from '../spec/spec.ts';

const LONGEST_LOG_TEXT_BYTES = 256;
const LAST_PORT = 65_535;
const LOOPBACK = '127.0.0.1';
const FORMS = 'auto, spawn, notify, tcp:PORT, tcp:HOST:PORT, log:TEXT or delay:DURATION';
const LATER: readonly string[] = ['socket', 'http', 'exec'];

/** `auto`, `spawn`, `notify`, `tcp:8000`, `tcp:[::1]:8000`, `log:listening on`, `delay:2s`. */
export const ready: Kind<Ready> = parsed(text, decodeReady, {
  name: 'readiness',
  hint: FORMS,
  schema: { type: 'string', pattern: '^(auto|spawn|notify|tcp:.+|log:.+|delay:.+)$' },
  format: (value) => [formatReady(value)],
});

function decodeReady(written: string): Decoded<Ready> {
  const at = written.indexOf(':');
  const by = at < 0 ? written : written.slice(0, at);
  const argument = at < 0 ? undefined : written.slice(at + 1);
  if (LATER.includes(by)) return { ok: false, message: `${by} comes with a later release` };
  if (argument === undefined) {
    return by === 'auto' || by === 'spawn' || by === 'notify' ? { ok: true, value: { by } } : unexpected();
  }
  if (by === 'tcp') return decodeTcp(argument);
  if (by === 'log') return decodeLog(argument);
  return by === 'delay' ? decodeDelay(argument) : unexpected();
}

function decodeTcp(argument: string): Decoded<Ready> {
  const at = argument.lastIndexOf(':');
  const host = at < 0 ? LOOPBACK : literalAddress(argument.slice(0, at));
  const digits = argument.slice(at + 1);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (host === undefined)
    return {
      ok: false,
      message: 'expected a literal address such as 127.0.0.1 or [::1]: no name is looked up',
    };
  if (port < 1 || port > LAST_PORT) return { ok: false, message: 'expected tcp:PORT or tcp:HOST:PORT' };
  return { ok: true, value: { by: 'tcp', host, port } };
}

function literalAddress(host: string): string | undefined {
  if (host === 'localhost') return LOOPBACK;
  const [, six] = /^\[([0-9a-fA-F:.]{2,45})\]$/.exec(host) ?? [];
  if (six !== undefined) return six.includes(':') ? six : undefined;
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
    ? host
    : undefined;
}

function decodeLog(argument: string): Decoded<Ready> {
  const bytes = Buffer.byteLength(argument);
  if (bytes === 0) return { ok: false, message: 'expected log: and the text to wait for' };
  if (bytes > LONGEST_LOG_TEXT_BYTES)
    return { ok: false, message: `expected at most ${LONGEST_LOG_TEXT_BYTES} bytes of text` };
  return { ok: true, value: { by: 'log', text: argument } };
}

function decodeDelay(argument: string): Decoded<Ready> {
  const ms = decodeDuration(argument);
  return ms === undefined
    ? { ok: false, message: 'expected delay: and a duration such as 2s' }
    : { ok: true, value: { by: 'delay', ms } };
}

function unexpected(): Decoded<Ready> {
  return { ok: false, message: `expected ${FORMS}` };
}

function formatReady(value: Ready): string {
  switch (value.by) {
    case 'tcp':
      return value.host === LOOPBACK ? `tcp:${value.port}` : `tcp:${bracketed(value.host)}:${value.port}`;
    case 'log':
      return `log:${value.text}`;
    case 'delay':
      return `delay:${formatDuration(value.ms)}`;
    case 'auto':
    case 'spawn':
    case 'notify':
      return value.by;
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
