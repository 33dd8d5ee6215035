import { type DecodeOptions, decodeJpegs, decodeMasks } from '../augment/index.js';
import type { EncodedPatch } from '../datasets/index.js';
import { getTensor, type Tensor, type Tensors, uploadStrings } from '../engine/index.js';

/** What encoded patches are. */
export interface Encoding extends Pick<DecodeOptions, 'ratio'> {
  /** Side of the images as they are encoded, px. */
  size: number;
  masks: boolean;
}

/** Images, bytes `[batch, size, size, 3]`, and masks, int32 `[batch, size, size]`; of the reduced size. */
export interface Decoded {
  images: Tensor;
  masks?: Tensor;
}

/** Encoded patches as tensors of strings, `jpegs` and `pngs`. */
export function uploadEncoded(patches: readonly EncodedPatch[], { masks }: Encoding): Tensors {
  return {
    jpegs: uploadStrings(patches.map(({ image }) => image)),
    ...(masks && { pngs: uploadStrings(patches.map(({ mask }) => mask!)) }),
  };
}

/** Decodes the output of `uploadEncoded`, in TensorFlow ops only. */
export function decodeEncoded(encoded: Tensors, { size, ratio, masks }: Encoding): Decoded {
  const whole = { height: size, width: size };
  return {
    images: decodeJpegs(getTensor(encoded, 'jpegs'), { ...whole, ratio }),
    ...(masks && { masks: reduced(decodeMasks(getTensor(encoded, 'pngs'), whole), ratio) }),
  };
}

/** Masks of which each px has the class at its center, as images whose px are means of squares of `ratio` px. */
function reduced(masks: Tensor, ratio: Encoding['ratio'] = 1): Tensor {
  if (ratio === 1) return masks;
  const [batch, height, width] = masks.shape as [number, number, number];
  const center = ratio / 2;
  return masks.stridedSlice([0, center, center], [batch, height, width], [1, ratio, ratio]);
}
