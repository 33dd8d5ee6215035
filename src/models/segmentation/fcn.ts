import { ForwardPass, type ModelTensors } from '../forward-pass.js';
import { addConvNorm, addConvolution, dropped, lastMapOf, type MakeSegmentationHead, pointwise } from './head.js';

/**
 * The fully convolutional network's head (Long et al., 2015; arXiv 1411.4038) with torchvision's arithmetic and names, on the
 * last map: convolution 3x3 to a quarter of the channels, batch norm, relu, dropout of .1, convolution 1x1. The paper's
 * reference has it on `resnet50`, whose last map has the stride 32; torchvision on `resnet50_dilated`.
 */
export const fcn: MakeSegmentationHead = (backbone, classes, dropout = 0.1) => {
  const { channels } = lastMapOf('fcn', backbone);
  const inner = Math.floor(channels / 4);
  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addConvNorm(model, '0', '1', [3, 3, channels, inner], key);
      addConvolution(model, '4', [1, 1, inner, classes], key, { bias: true });
      return model;
    },
    apply(model, maps, options) {
      const pass = new ForwardPass(model, options.training);
      const x = pass.convs(maps.at(-1)!, [{ conv: '0', norm: '1' }], { relu: true });
      return { logits: pointwise(pass, dropped(x, dropout, options), '4'), state: pass.state };
    },
  };
};
