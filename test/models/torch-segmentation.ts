import { readFileSync } from 'node:fs';
import { type Tensor, tf } from '../../src/engine/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import type { Digest } from './digest.js';

interface Reference {
  heads: Record<
    string,
    {
      shapes: Record<string, number[]>;
      maps: [number, number, number, number][];
      inference: Digest;
      training: Digest;
      gradients: Record<string, Digest>;
      statistics: Record<string, Digest>;
    }
  >;
  networks: Record<string, { parameters: number; logits: Digest }>;
  losses: ({ name: string; masks: number[][][]; weights: number[] | null; ignore: number | null } & Record<
    'cross-entropy' | 'dice',
    { loss: number; gradient: number[] }
  >)[];
}

/** What fixtures/torch-segmentation/make.py has found. */
export const torchSegmentation = JSON.parse(
  readFileSync(new URL('../fixtures/torch-segmentation/segmentation.json', import.meta.url), 'utf8'),
) as Reference;

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** FNV-1a, 32 bits. */
function streamOf(name: string): number {
  let value = 2166136261;
  for (const byte of Buffer.from(name)) value = Math.imul(value ^ byte, 16777619) >>> 0;
  return value;
}

/** The fixture's values of that name. */
export function uniform(name: string, shape: readonly number[]): Tensor {
  return tf.tensor(hashUniform(streamOf(name), sizeOf(shape)), [...shape]);
}

/** The fixture's weight of that name, in PyTorch's layout. */
export function weightOf(name: string, shape: readonly number[]): Tensor {
  const [factor, shift] = scaleOf(name, shape).map(Math.fround) as [number, number];
  const values = hashUniform(streamOf(name), sizeOf(shape)).map((value) => Math.fround(value * factor) + shift);
  return tf.tensor(values, [...shape]);
}

function scaleOf(name: string, shape: readonly number[]): [factor: number, shift: number] {
  if (name.endsWith('running_var')) return [0.25, 1];
  if (name.endsWith('weight') && shape.length > 1) return [Math.sqrt(3 / sizeOf(shape.slice(1))), 0];
  if (name.endsWith('weight')) return [0.25, name.endsWith('bn3.weight') ? 0.2 : 1];
  return [0.1, 0];
}
