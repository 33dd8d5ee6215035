import { nodeBackend } from '../compile/native.js';
import { recordedInstanceKey } from '../compile/recorder.js';
import { type Attribute, attribute, binding, runOp, type Tensor, tf, withGradient } from '../runtime.js';
import { type Cluster, currentCluster, takeInstanceKeys } from './cluster.js';
import { describeLostWorker } from './failure.js';
import { exchangeAttributes } from './shared-memory.js';

/** All processes are one group. */
const groupKey = 1;

/**
 * The sum over all processes, the same bits on each. Its gradient is the sum of the gradients.
 *
 * @param x of the same shape everywhere
 * @throws Error (in a compiled step, when it runs) if a process is gone or does not join in time
 */
export function allReduce(x: Tensor): Tensor {
  return withGradient([x], () => ({ value: reduce(x), gradient: (dy) => [() => reduce(dy)] }));
}

/**
 * The rows of all processes, in the order of their indices. The gradient of a process's rows is summed over all
 * processes.
 *
 * @param rows `[rows, ...]`, of the same shape everywhere
 * @returns `[count * rows, ...]`, the same bits everywhere
 * @throws RangeError for a scalar; Error as `allReduce`
 */
export function allGather(rows: Tensor): Tensor {
  if (rows.rank === 0) throw new RangeError('allGather takes rows, [rows, ...], and got a scalar');
  const { index } = currentCluster();
  const [length, ...rest] = rows.shape as [number, ...number[]];
  const own = (all: Tensor) => all.slice([index * length, ...rest.map(() => 0)], [length, ...rest]);
  return withGradient([rows], () => ({ value: gather(rows), gradient: (dy) => [() => own(reduce(dy))] }));
}

/**
 * The sum over all processes of a number of the host's (as float32): it waits until all have given theirs. The event loop
 * stays free.
 *
 * @throws Error as `allReduce`
 */
export async function sumOfProcesses(value: number): Promise<number> {
  const cluster = currentCluster();
  const backend = nodeBackend();
  const inputs = [tf.scalar(value), ...groupOf(cluster)];
  const { op, attributes } = sumOp(cluster, inputs[0]!);
  try {
    const ids = backend.getInputTensorIds(inputs);
    const [sum] = await backend.binding.runAsync(op, attributes, ids, 1);
    const result = backend.createOutputTensor(sum!);
    inputs.push(result);
    return result.dataSync()[0]!;
  } catch (error) {
    throw explained(error as Error, cluster);
  } finally {
    tf.dispose(inputs);
  }
}

/**
 * Waits until every process has done all that it wanted of the others; then this one may end. Ending without it takes
 * answers away from those that still wait for them.
 *
 * @throws Error as `allReduce`
 */
export async function leaveCluster(): Promise<void> {
  await sumOfProcesses(0);
  // Who is through the first one may be gone while another still waits for its part of the second, and needs it no more.
  await sumOfProcesses(0).catch(() => {});
}

function reduce(x: Tensor): Tensor {
  const cluster = currentCluster();
  return tf.tidy(() => run(sumOp(cluster, x), x, cluster));
}

function gather(rows: Tensor): Tensor {
  const cluster = currentCluster();
  const shape = [cluster.count * rows.shape[0]!, ...rows.shape.slice(1)];
  return tf.tidy(() =>
    // TensorFlow does not tell the shape beforehand.
    runOp(
      'EnsureShape',
      [attribute.shape('shape', shape), attribute.typeOf('T', rows)],
      [run(gatherOp(cluster, rows), rows, cluster)],
    ),
  );
}

interface Collective {
  op: string;
  attributes: Attribute[];
}

function sumOp(cluster: Cluster, x: Tensor): Collective {
  const type = attribute.typeOf('T', x);
  if (cluster.sharedMemory !== undefined) {
    return { op: 'PathlabSumOfProcesses', attributes: [type, ...exchangeAttributes(cluster, cluster.sharedMemory)] };
  }
  const attributes = [
    type,
    attribute.string('merge_op', 'Add'),
    attribute.string('final_op', 'Id'),
    attribute.int('max_subdivs_per_device', -1),
    ...commonAttributes(cluster),
  ];
  return { op: 'CollectiveReduceV2', attributes };
}

function gatherOp(cluster: Cluster, rows: Tensor): Collective {
  const type = attribute.typeOf('T', rows);
  return cluster.sharedMemory === undefined
    ? { op: 'CollectiveGatherV2', attributes: [type, ...commonAttributes(cluster)] }
    : { op: 'PathlabGatherOfProcesses', attributes: [type, ...exchangeAttributes(cluster, cluster.sharedMemory)] };
}

function run({ op, attributes }: Collective, x: Tensor, cluster: Cluster): Tensor {
  try {
    return runOp(op, attributes, [x, ...groupOf(cluster)]);
  } catch (error) {
    throw explained(error as Error, cluster);
  }
}

/**
 * What a collective takes besides its tensor: the number of this one, an input of each run of a compiled step; before it, to
 * TensorFlow's, the group's size and number.
 */
function groupOf({ count, sharedMemory }: Cluster): Tensor[] {
  const instance = recordedInstanceKey() ?? tf.scalar(takeInstanceKeys(1)[0]!, 'int32');
  return sharedMemory === undefined ? [tf.scalar(count, 'int32'), tf.scalar(groupKey, 'int32'), instance] : [instance];
}

function commonAttributes({ timeoutSeconds }: Cluster): Attribute[] {
  return [
    attribute.string('communication_hint', binding().isUsingGpuDevice() ? 'nccl' : 'ring'),
    attribute.float('timeout_seconds', timeoutSeconds),
    attribute.bool('is_stateless', false),
    // The order is that of control edges (see `functionDef`).
    attribute.int('Nordering_token', 0),
  ];
}

function explained(error: Error, cluster: Cluster): Error {
  const lost = describeLostWorker(error, cluster);
  return lost === undefined ? error : new Error(lost, { cause: error });
}
