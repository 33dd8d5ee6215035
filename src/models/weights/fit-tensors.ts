import { type StoredTensor, type Tensor, tf } from '../../engine/index.js';
import { resamplePositions } from '../positions.js';
import { fromTorch } from '../torch-layout.js';
import { listed, type ResolvedNames } from './naming.js';

/** What a file holds, by the network's names and in PyTorch's layout. */
export type Stored = Map<string, StoredTensor>;

/**
 * The tensors of a file by the network's names: those that other implementations keep apart or elsewhere are put together.
 *
 * @param targets the network's names
 */
export function storedByName(
  tensors: Readonly<Record<string, StoredTensor>>,
  { names, naming }: ResolvedNames,
  targets: readonly string[],
): Stored {
  const stored: Stored = new Map([...names].map(([name, original]) => [name, tensors[original]!]));
  if (naming === "BiT's archives") {
    for (const [name, tensor] of stored)
      if (tensor.shape.length === 4) stored.set(name, transposed(tensor, [3, 2, 0, 1]));
  }
  joinQueries(stored);
  // With registers, networks in timm's words have no position for the class token: it is added to the token itself.
  const [token, positions] = [stored.get('cls_token'), stored.get('pos_embed')];
  const [, count = 0, width = 0] = positions?.shape ?? [];
  if (token && positions && targets.includes('reg_token') && gridOf(count)?.others === 1) {
    stored.set('cls_token', {
      ...token,
      read: () => made([token, positions], ([own, all]) => own!.add(all!.slice([0, 0, 0], [-1, 1, -1]))),
    });
    stored.set('pos_embed', {
      ...positions,
      shape: [1, count - 1, width],
      read: () => made([positions], ([all]) => all!.slice([0, 1, 0], [-1, -1, -1])),
    });
  }
  return stored;
}

/**
 * How the tensor of a network is read from what a file has for it; for what cannot be made to fit, what is wrong.
 *
 * @param wanted the network's own, in pathlab's layout
 */
export function fitted(stored: StoredTensor, name: string, wanted: Tensor): (() => Promise<Tensor>) | string {
  const shape = torchShape(wanted);
  const read = (change: (tensor: Tensor) => Tensor) => () =>
    made([stored], ([tensor]) => fromTorch({ tensor: change(tensor!) }).parameters.tensor!);
  if (!stored.dtype.includes('F')) return `${name} of type ${stored.dtype}`;
  if (String(stored.shape) === String(shape)) return read((tensor) => tensor);
  const [out, channels = 3, ...window] = shape;
  if (wanted.rank === 4 && String(stored.shape) === String([out, 3, ...window])) {
    return read((tensor) => withChannels(tensor, channels));
  }
  const [from, to] = [stored, { shape }].map(({ shape: [, count = 0] }) => gridOf(count));
  const isWidth = stored.shape.length === 3 && stored.shape[2] === shape[2];
  if (name === 'pos_embed' && isWidth && from && to && from.others === to.others) {
    return read((tensor) => resamplePositions(tensor, [to.side, to.side], to.others));
  }
  return `${name} [${stored.shape}] instead of [${shape}]`;
}

/**
 * A first convolution's weight `[out, 3, height, width]` for another number of channels, as timm has it: for one channel
 * the sum over three, for others the three again and again, scaled so that outputs keep their size.
 */
export function withChannels(weight: Tensor, channels: number): Tensor {
  if (channels === 1) return weight.sum(1, true);
  const repeated = tf.tile(weight, [1, Math.ceil(channels / 3), 1, 1]);
  return repeated.slice([0, 0, 0, 0], [-1, channels, -1, -1]).mul(3 / channels);
}

/** Queries, keys and values that are kept apart become one. */
function joinQueries(stored: Stored): void {
  for (const [name, query] of [...stored]) {
    const [, before, kind] = /^(.*attn\.)qkv\.(weight|bias)$/.exec(name) ?? [];
    const others = [`${before}key.${kind}`, `${before}value.${kind}`];
    const parts = [query, ...others.map((other) => stored.get(other))].filter((part): part is StoredTensor => !!part);
    if (parts.length < 3) continue;
    for (const other of others) stored.delete(other);
    const [rows = 0, ...columns] = query.shape;
    stored.set(name, { ...query, shape: [3 * rows, ...columns], read: () => made(parts, (read) => tf.concat(read)) });
  }
}

function transposed(tensor: StoredTensor, axes: readonly number[]): StoredTensor {
  const shape = axes.map((axis) => tensor.shape[axis]!);
  return { ...tensor, shape, read: () => made([tensor], ([read]) => read!.transpose([...axes])) };
}

/** What is made of stored tensors, which are let go. */
async function made(stored: readonly StoredTensor[], make: (tensors: Tensor[]) => Tensor): Promise<Tensor> {
  const read: Tensor[] = [];
  try {
    for (const each of stored) read.push(await each.read());
    return tf.tidy(() => make(read));
  } finally {
    for (const tensor of read) tensor.dispose();
  }
}

/** A square of positions and how many stand before it: the class token's or none. */
function gridOf(count: number): { side: number; others: number } | undefined {
  const others = [0, 1].find((others) => Number.isInteger(Math.sqrt(count - others)));
  return others === undefined ? undefined : { side: Math.sqrt(count - others), others };
}

function torchShape({ rank, shape }: Tensor): number[] {
  return rank === 4 ? [shape[3]!, shape[2]!, shape[0]!, shape[1]!] : shape;
}

/** @throws Error that lists what does not fit, and the option that lets it pass */
export function refuse(
  what: string,
  names: readonly string[],
  { naming, prefix }: ResolvedNames,
  option?: string,
): void {
  if (names.length === 0) return;
  const how = `names of ${naming}${prefix === '' ? '' : `, behind "${prefix}"`}`;
  const remedy = option === undefined ? '' : `; to allow this, use the option ${option}`;
  throw new Error(`it ${what} ${listed(names)} (${how})${remedy}`);
}
