import { ForwardPass, type ModelTensors } from '../forward-pass.js';
import { addConvolution, dropped, lastMapOf, type MakeSegmentationHead, pointwise } from './head.js';

/**
 * One linear layer on each place of the last map, as Segmenter's linear decoder (Strudel et al., 2021; arXiv 2105.05633): of a
 * vision transformer, on each patch. A convolution 1x1 by the name `0`.
 */
export const linear: MakeSegmentationHead = (backbone, classes, dropout = 0) => {
  const { channels } = lastMapOf('linear', backbone);
  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addConvolution(model, '0', [1, 1, channels, classes], key, { bias: true });
      return model;
    },
    apply(model, maps, options) {
      const pass = new ForwardPass(model, options.training);
      return { logits: pointwise(pass, dropped(maps.at(-1)!, dropout, options), '0'), state: pass.state };
    },
  };
};
