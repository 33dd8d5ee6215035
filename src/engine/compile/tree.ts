import { Key } from '../../base/index.js';
import { isByteTensor, type Tensor, tf } from '../runtime.js';
import { CompileError } from './errors.js';

/** A leaf of nested records and arrays, and where it sits: `[0].parameters.conv1.weight`. */
export interface Leaf {
  path: string;
  value: Tensor | Key | number | string | boolean | bigint | null | undefined | Empty;
}

/** An empty record or array is a leaf, so that a signature tells it from none. */
export type Empty = Record<string, never> | never[];

let tensorClass: typeof tf.Tensor | undefined;

export function isTensor(value: unknown): value is Tensor {
  // Kept, for `tf` looks it up anew each time, and a step has hundreds of leaves.
  tensorClass ??= tf.Tensor;
  return value instanceof tensorClass;
}

/**
 * The leaves of nested plain records and arrays, in their own order.
 *
 * @param what names the tree in errors: "input", "output"
 * @throws CompileError for what is neither a leaf nor a plain record or array
 */
export function leavesOf(tree: unknown, what: string): Leaf[] {
  const leaves: Leaf[] = [];
  walk(tree, '');
  return leaves;

  function walk(value: unknown, path: string): void {
    if (isLeaf(value)) {
      leaves.push({ path, value });
    } else if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) walk(value[index], `${path}[${index}]`);
    } else if (isPlainRecord(value)) {
      for (const name in value) walk(value[name], path ? `${path}.${name}` : name);
    } else {
      throw new CompileError(
        `${what} ${path || 'tree'} is ${describe(value)}; a compiled step takes and returns tensors in plain records and arrays` +
          (ArrayBuffer.isView(value) ? ' (convert it to a tensor before the call)' : ''),
      );
    }
  }
}

/** The same tree with other leaves, given in the order of `leavesOf`. */
export function withLeaves(tree: unknown, leaves: readonly unknown[]): unknown {
  let next = 0;
  return rebuild(tree);

  function rebuild(value: unknown): unknown {
    if (isLeaf(value)) return leaves[next++];
    if (Array.isArray(value)) return value.map(rebuild);
    return Object.fromEntries(Object.entries(value as object).map(([name, child]) => [name, rebuild(child)]));
  }
}

/**
 * What a recording depends on beside the tensors' values: one text a leaf. Numbers, strings and the like are part of
 * it, since the recorded step has them built in.
 */
export function describeLeaf({ path, value }: Leaf): string {
  if (isTensor(value)) return `${path}: ${dtypeOf(value)}[${value.shape}]`;
  if (value instanceof Key) return `${path}: key`;
  if (typeof value === 'string' || isEmpty(value)) return `${path}: ${JSON.stringify(value)}`;
  return `${path}: ${Object.is(value, -0) ? '-0' : String(value)}`;
}

function dtypeOf(tensor: Tensor): string {
  return isByteTensor(tensor) ? 'uint8' : tensor.dtype;
}

export function isEmpty(value: unknown): value is Empty {
  if (Array.isArray(value)) return value.length === 0;
  return isPlainRecord(value) && Object.keys(value).length === 0;
}

function isLeaf(value: unknown): value is Leaf['value'] {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return typeof value !== 'symbol';
  return value instanceof Key || isTensor(value) || isEmpty(value);
}

function isPlainRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Records of a notebook's own realm have another Object.prototype, so it is told by being the end of the chain.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  return `of class ${(value as object).constructor.name}`;
}
