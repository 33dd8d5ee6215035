import { binding, isTensorFlowLoaded, tf } from '../runtime.js';
import { job, serverDef } from './server-def.js';
import { sharedMemoryName } from './shared-memory.js';

export interface ClusterOptions {
  /** `host:port` of each process, in the order of their indices. */
  addresses: readonly string[];
  /** Of this process, from 0. */
  index: number;
  /**
   * After so many seconds a collective that a process has not joined fails, with all that follow. It bounds how far
   * processes may run apart, and how long a dead or hanging one goes unnoticed. 30 by default.
   */
  timeoutSeconds?: number;
}

/** The processes that compute together, as seen from this one. */
export interface Cluster {
  readonly index: number;
  readonly count: number;
  readonly timeoutSeconds: number;
  /** Of the memory through which they exchange, where all are on one machine; see `sharedMemoryName`. */
  readonly sharedMemory?: string;
}

let joined: Cluster | undefined;
let instances = 0;

/**
 * Makes this process one of several whose collectives (`allReduce`, `allGather`) work together: TensorFlow's own, over
 * gRPC between CPUs and NCCL between GPUs, as under MultiWorkerMirroredStrategy; or between CPUs of one machine pathlab's,
 * through memory (see `sharedMemoryName`). It opens this process's port, waits for
 * nobody, and cannot be undone: a process leaves by ending, after `leaveCluster`.
 *
 * Every process must call the same collectives, on tensors of the same shapes, in the same order.
 *
 * TensorFlow's server listens on all interfaces and asks nobody who they are: join only in a network that you trust.
 *
 * @throws RangeError for addresses, an index or a timeout that make no cluster
 * @throws Error if this process has joined already, has made tensors before, or cannot open its port
 */
export function joinCluster({ addresses, index, timeoutSeconds = 30 }: ClusterOptions): Cluster {
  if (joined) throw new Error(`this process is worker ${joined.index} of ${joined.count} already`);
  const wrong = addresses.find((address, at) => !/^.+:\d+$/.test(address) || addresses.indexOf(address) !== at);
  if (wrong !== undefined || addresses.length < 2) {
    throw new RangeError(`a cluster has two or more addresses host:port, each another; got [${addresses.join(', ')}]`);
  }
  if (!(Number.isInteger(index) && index >= 0 && index < addresses.length)) {
    throw new RangeError(`of ${addresses.length} workers, ${index} is none`);
  }
  if (!(timeoutSeconds > 0)) throw new RangeError(`the timeout of collectives is above 0 s; got ${timeoutSeconds}`);
  const tensors = isTensorFlowLoaded() ? tf.memory().numTensors : 0;
  if (tensors > 0) {
    throw new Error(
      `join the cluster before making tensors: there are ${tensors}, on a device that then has another name`,
    );
  }
  const join = binding().enableCollective as (serverDef: Uint8Array, job: string, task: number) => void;
  try {
    join(serverDef(addresses, index), job, index);
  } catch (error) {
    throw new Error(`worker ${index} could not open ${addresses[index]}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  joined = { index, count: addresses.length, timeoutSeconds, sharedMemory: sharedMemoryName(addresses) };
  return joined;
}

/** @throws Error if this process has joined none */
export function currentCluster(): Cluster {
  if (!joined) throw new Error('a collective was called in a process that has not joined a cluster (joinCluster)');
  return joined;
}

/**
 * Numbers by which the processes tell one collective from the next: the same on all, for all call the same ones in the
 * same order.
 */
export function takeInstanceKeys(count: number): number[] {
  return Array.from({ length: count }, () => {
    instances = instances === 2 ** 31 - 1 ? 1 : instances + 1;
    return instances;
  });
}
