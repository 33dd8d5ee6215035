import { fittingSize } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';

/** @throws RangeError that names the parameter, what it takes and what was given; undefined is the scale's own */
export function checkParameter<Value>(
  name: string,
  value: Value | undefined,
  holds: (value: Value) => boolean,
  takes: string,
): void {
  if (value !== undefined && !holds(value)) {
    throw new RangeError(`${name} must be ${takes}; got ${typeof value === 'number' ? value : JSON.stringify(value)}`);
  }
}

/** @throws RangeError for a parameter that is not a whole number of at least so much */
export function checkWhole(name: string, value: number | undefined, least: number): void {
  const holds = (given: number) => Number.isSafeInteger(given) && given >= least;
  checkParameter(name, value, holds, `an integer of ${least} or more`);
}

/** @throws RangeError for a side of views that the backbone does not take, with the next one that it does */
export function checkSize({ backbone }: Pick<AnyMethod, 'backbone'>, size: number | undefined): void {
  if (size === undefined) return;
  checkWhole('size', size, 1);
  const fitting = fittingSize(backbone, size);
  if (fitting !== size) {
    throw new RangeError(`size ${size} does not fit ${backbone.name}: the next that does is ${fitting} px`);
  }
}

/** The checks of what pretraining and fine-tuning notebooks have in common. */
export function checkTraining(parameters: {
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  precision?: string;
  seed?: number;
  data?: string;
  tile?: number;
}): void {
  const { epochs, batchSize, learningRate, precision, seed, data, tile } = parameters;
  checkWhole('epochs', epochs, 1);
  checkWhole('batchSize', batchSize, 2);
  checkParameter('learningRate', learningRate, (value) => value > 0 && value < Infinity, 'a number above 0');
  const precisions = ['float32', 'bfloat16', 'float16'];
  checkParameter('precision', precision, (value) => precisions.includes(value), 'float32, bfloat16 or float16');
  checkParameter('seed', seed, Number.isSafeInteger, 'a whole number');
  checkWhole('tile', tile, 16);
  if (tile !== undefined && data === undefined) {
    throw new RangeError(`tile cuts images of your own data: give data too; got tile ${tile}`);
  }
}

/** @throws RangeError for micro-batches that the method's loss or the size of a batch does not allow */
export function checkMicroBatches(
  { name, needsWholeBatch }: Pick<AnyMethod, 'name' | 'needsWholeBatch'>,
  microBatches: number | undefined,
  batchSize: number,
): void {
  checkWhole('microBatches', microBatches, 1);
  if (microBatches === undefined || microBatches === 1) return;
  if (needsWholeBatch !== undefined) {
    throw new RangeError(`${name} takes no microBatches: ${needsWholeBatch}. Use a smaller batch`);
  }
  if (batchSize % microBatches !== 0) {
    throw new RangeError(`microBatches must divide the batch of ${batchSize}; got ${microBatches}`);
  }
}
