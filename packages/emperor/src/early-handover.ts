/**
 * Hold a handover (SIGUSR1) back that is asked for before we can hand over: Node's own answer to that signal is to open
 * a debugger's port. The returned function lets it through, once somebody else listens.
 */
export function holdHandover(): () => void {
  let isAsked = false;
  const note = () => {
    isAsked = true;
  };
  process.on('SIGUSR1', note);
  return () => {
    process.off('SIGUSR1', note);
    if (isAsked) process.emit('SIGUSR1', 'SIGUSR1');
  };
}
