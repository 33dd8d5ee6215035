import { availableParallelism } from 'node:os';
import { isTensorFlowLoaded, joinCluster, meet } from '../engine/index.js';
import { endWithLauncher } from './end-with-launcher.js';
import { placeInJob } from './place-in-job.js';
import { type Replicas, replicasOf, singleReplica } from './replicas.js';

/** Options of `joinReplicas`. */
export interface JoinOptions {
  /** How long workers wait for each other to start. 300 by default. */
  startSeconds?: number;
  /** See `joinCluster`. */
  timeoutSeconds?: number;
  /** What the first worker tells the others. */
  word?: string;
}

/** The replicas of a job, as one of them has joined. */
export type JoinedReplicas = Replicas & {
  /** What the first worker tells. */
  word?: string;
};

/**
 * Joins the other workers of this job: of a launcher that sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT (as torchrun
 * does), or of SLURM's srun. Alone where there is neither. Call it before TensorFlow is used: a worker takes its GPU, or its
 * share of the machine's cores, as it loads. A worker of `pathlab launch` ends when the launcher is gone.
 *
 * @throws Error if a variable is missing or wrong, TensorFlow is loaded already, or some workers do not come in time
 */
export async function joinReplicas(
  { startSeconds = 300, timeoutSeconds, word }: JoinOptions = {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<JoinedReplicas> {
  const place = placeInJob(environment);
  if (!place || place.count === 1) return { ...singleReplica, word };
  if (isTensorFlowLoaded()) throw new Error('join the other workers before TensorFlow is used in this process');
  const { index, count, host, port, job, local } = place;
  if (environment.PATHLAB_LAUNCHER) endWithLauncher(Number(environment.PATHLAB_LAUNCHER));
  takeShare(local, environment);
  const meeting = await meet({ index, count, host, port, job, timeoutSeconds: startSeconds, word });
  const replicas = replicasOf(joinCluster({ addresses: meeting.addresses, index, timeoutSeconds }));
  return { ...replicas, word: meeting.word };
}

/** The GPU of this worker's place on its machine, and an equal part of the cores; what was chosen for it stays. */
function takeShare({ index, count }: { index: number; count: number }, environment: NodeJS.ProcessEnv): void {
  const visible = environment.CUDA_VISIBLE_DEVICES?.split(',');
  if (count > 1 && visible?.length !== 1) environment.CUDA_VISIBLE_DEVICES = visible?.[index] ?? String(index);
  const threads = String(Math.max(1, Math.floor(availableParallelism() / count)));
  environment.TF_NUM_INTRAOP_THREADS ??= threads;
  environment.TF_NUM_INTEROP_THREADS ??= threads;
}
