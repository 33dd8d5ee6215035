import { pretrainingNotebooks } from './pretrain.js';

/** What a table has a row for, in order: where networks begin, then what they are pretrained by. */
export const resultRows = (): string[] => [
  'random',
  'ImageNet',
  'COCO',
  ...pretrainingNotebooks().map(({ name }) => name),
];

/** The row of an arm: `SimCLR` of `SimCLR (epochs 4)`. */
export const rowOf = (arm: string) =>
  resultRows().find((row) => arm === row || arm.startsWith(`${row} (`) || arm.startsWith(`${row} [`));
