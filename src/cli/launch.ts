import { superviseWorkers } from '../training/index.js';
import { parseOptions, wholeNumber } from './options.js';
import { onStopSignals } from './papermill.js';
import { UsageError } from './usage-error.js';

const usage = `usage: npx --no-install pathlab launch --processes N [--max-restarts R] -- PROGRAM [ARGUMENT ...]
       npx --no-install pathlab launch --processes N [--max-restarts R] -- run NOTEBOOK [-p key value ...]

Runs a program in N processes on this machine that train one model. Each calls joinReplicas() of pathlab/training before it
uses TensorFlow, gives what it returns to its BatchSource (as replica) and to pretrain() (as replicas), and calls its leave()
at the end. With GPUs, each process has one; otherwise they share the cores. The first process writes to the terminal.

With run, a pretraining notebook (10 to 15) whose training N processes do; so does \`pathlab run NOTEBOOK -p processes N\`.

  --processes N     how many
  --max-restarts R  how often all are started again after one has failed, from the last checkpoint (default 3)

Ctrl-C goes to all of them.`;

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
  if (program === 'run') {
    // The kernel, whose training cell starts the processes, inherits it.
    process.env.PATHLAB_MAX_RESTARTS = String(maxRestarts);
    return (await import('./run.js')).main(rest, { processes });
  }
  const say = (line: string) => console.error(`pathlab launch: ${line}`);
  const { code, failure } = await superviseWorkers({
    ...{ command: [program, ...rest], processes, maxRestarts, onStop: onStopSignals, say },
  });
  if (failure !== undefined) say(failure);
  return code;
}
