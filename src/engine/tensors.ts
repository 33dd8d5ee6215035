import { type Tensor, tf } from './runtime.js';

/** Tensors by name: parameters, gradients, optimizer state. Names are torchvision's (`layer1.0.conv1.weight`). */
export type Tensors = Record<string, Tensor>;

/** The same names with new tensors. */
export function mapTensors(tensors: Tensors, make: (tensor: Tensor, name: string) => Tensor): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, make(tensor, name)]));
}

/**
 * Combines two records name by name.
 *
 * @throws Error if the records differ in their names
 */
export function zipTensors(
  one: Tensors,
  other: Tensors,
  make: (a: Tensor, b: Tensor, name: string) => Tensor,
): Tensors {
  const extra = Object.keys(other).find((name) => !(name in one));
  if (extra !== undefined) throw new Error(`the second record has a tensor "${extra}" that the first lacks`);
  return mapTensors(one, (tensor, name) => make(tensor, getTensor(other, name), name));
}

/** @throws Error that names what is missing */
export function getTensor(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new Error(`there is no tensor named "${name}" among ${Object.keys(tensors).length} tensors`);
  return tensor;
}

/** The tensors whose names begin with `prefix`, under the rest of their names. */
export function subTensors(tensors: Tensors, prefix: string): Tensors {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

export function withPrefix(tensors: Tensors, prefix: string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

export function disposeTensors(...records: Tensors[]): void {
  for (const record of records) for (const tensor of Object.values(record)) tensor.dispose();
}

/** Size of the tensors' elements. */
export function bytesOf(tensors: Tensors): number {
  const width: Record<string, number> = { float32: 4, int32: 4, bool: 1, complex64: 8 };
  return Object.values(tensors).reduce((bytes, tensor) => bytes + tensor.size * (width[tensor.dtype] ?? 0), 0);
}

/** Number of elements: of a record of parameters, the model's size. */
export function elementsOf(tensors: Tensors): number {
  return Object.values(tensors).reduce((count, tensor) => count + tensor.size, 0);
}

/**
 * Value and gradients of a scalar loss with respect to every parameter. What else `compute` makes (new running
 * statistics, tensors for metrics) comes back in `extra`.
 *
 * @param options.lossScale a scalar tensor that the gradients, not the loss, come multiplied by: what float16 would
 *   round to 0 stays above it on the way back (see `dynamicLossScaling`, which divides by it again)
 * @throws Error if the loss does not depend on one of the parameters, naming it
 */
export function gradients(
  parameters: Tensors,
  compute: (parameters: Tensors) => { loss: Tensor; extra?: Tensors },
  { lossScale }: { lossScale?: Tensor } = {},
): { loss: Tensor; gradients: Tensors; extra: Tensors } {
  const names = Object.keys(parameters);
  let kept: Tensors = {};
  const forward = () => {
    const { loss, extra = {} } = compute(parameters);
    // Clones: what is handed on as it came stays its owner's.
    kept = mapTensors(extra, (tensor) => tf.keep(tensor.clone()));
    return loss;
  };
  const { value, grads } = tf.engine().gradients(forward, Object.values(parameters), lossScale, true);
  // tfjs hands only the loss out of its scope. A clone shares the data and belongs to the caller's scope again.
  const extra = mapTensors(kept, (tensor) => tensor.clone());
  disposeTensors(kept);
  const missing = names.find((_name, index) => !grads[index]);
  if (missing !== undefined) throw new Error(`the loss does not depend on the parameter "${missing}"`);
  return { loss: value, extra, gradients: Object.fromEntries(names.map((name, index) => [name, grads[index]!])) };
}
