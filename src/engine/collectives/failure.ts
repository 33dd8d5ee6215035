import type { Cluster } from './cluster.js';

/** How TensorFlow, or pathlab's op, says that a collective of this process, or one before it, was given up. */
const signs =
  /Collective ops is aborted by|Collective has timed out|RecvBuf|CompleteInstance|CompleteGroup|exchange between processes/;

/** What a failed collective means, with TensorFlow's reason; undefined for a failure of another kind. */
export function describeLostWorker({ message }: Error, { index, count, timeoutSeconds }: Cluster): string | undefined {
  if (!signs.test(message)) return undefined;
  const peer = /(?:remote target \/job:\w+\/replica:\d+\/task:|worker )(\d+)/.exec(message)?.[1];
  const timedOut = /timed out|DEADLINE_EXCEEDED|Deadline/i.test(message);
  const who = peer === undefined ? 'another worker' : `worker ${peer}`;
  const what = timedOut
    ? `another worker did not join a collective within ${timeoutSeconds} s: it hangs, or is that far behind`
    : `${who} is gone`;
  return `worker ${index} of ${count} cannot go on, for ${what}. Start all workers again: they continue from the last checkpoint`;
}
