import { parseOptions, wholeNumber } from './options.js';
import { onStopSignals } from './papermill.js';
import { UsageError } from './usage-error.js';
import { superviseWorkers } from './workers.js';

const usage = `usage: npx --no-install pathlab launch --processes N [--max-restarts R] -- PROGRAM [ARGUMENT ...]

Runs a program in N processes on this machine that train one model. Each calls joinReplicas() of pathlab/training before it
uses TensorFlow, gives what it returns to its BatchSource (as replica) and to pretrain() (as replicas), and calls its leave()
at the end. With GPUs, each process has one; otherwise they share the cores.

  --processes N     how many
  --max-restarts R  how often all are started again after one has failed, from the last checkpoint (default 3)

The first process writes to the terminal. Ctrl-C goes to all of them.`;

/** `pathlab launch`; returns the exit code. */
export async function launch(args: readonly string[]): Promise<number> {
  const at = args.indexOf('--');
  const [own, command] = at < 0 ? [args, []] : [args.slice(0, at), args.slice(at + 1)];
  const { values } = parseOptions('launch', {
    args: [...own],
    options: {
      processes: { type: 'string' },
      'max-restarts': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const processes = wholeNumber('processes', values.processes, 1);
  const maxRestarts = wholeNumber('max-restarts', values['max-restarts'], 0) ?? 3;
  const [program, ...rest] = command;
  if (processes === undefined || program === undefined) throw new UsageError(usage);
  return superviseWorkers({
    ...{ command: [program, ...rest], processes, maxRestarts, onStop: onStopSignals },
    say: (line) => console.error(`pathlab launch: ${line}`),
  });
}
