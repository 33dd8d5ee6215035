import { type Tensor, tf } from '../../engine/index.js';
import { ForwardPass, type ModelTensors } from '../forward-pass.js';
import { addConvNorm, addConvolution, dropped, type MakeSegmentationHead, mapsOf, pointwise } from './head.js';

/** Px between the places of a kernel, for maps of stride 8. */
const rates = [12, 24, 36];
/** Channels of every layer but the last. */
const width = 256;

/**
 * DeepLab v3's head (Chen et al., 2017; arXiv 1706.05587) with torchvision's arithmetic and names, on a last map of stride 8: atrous spatial pyramid pooling (a convolution 1x1, three 3x3 with dilation, and the mean of the map),
 * projection, dropout of .5, convolution 3x3, convolution 1x1. In training, batches of two images and more: the mean of
 * one has no variance.
 */
export const deeplabV3: MakeSegmentationHead = (backbone, classes, dropout = 0.5) => {
  const { channels } = mapsOf('deeplabv3', backbone, 'a last map of stride 8', (maps) =>
    maps.at(-1)!.stride === 8 ? maps.at(-1) : undefined,
  );
  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      addConvNorm(model, '0.convs.0.0', '0.convs.0.1', [1, 1, channels, width], key);
      for (const place of rates.keys()) {
        const name = `0.convs.${place + 1}`;
        addConvNorm(model, `${name}.0`, `${name}.1`, [3, 3, channels, width], key);
      }
      addConvNorm(model, '0.convs.4.1', '0.convs.4.2', [1, 1, channels, width], key);
      addConvNorm(model, '0.project.0', '0.project.1', [1, 1, 5 * width, width], key);
      addConvNorm(model, '1', '2', [3, 3, width, width], key);
      addConvolution(model, '4', [1, 1, width, classes], key, { bias: true });
      return model;
    },
    apply(model, maps, options) {
      const pass = new ForwardPass(model, options.training);
      const convNorm = (x: Tensor, conv: string, norm: string, dilation = 1) =>
        pass.convs(x, [{ conv, norm, dilation }], { relu: true });
      const map = maps.at(-1)!;
      const [, rows, columns] = map.shape as [number, number, number];
      const spread = [1, ...rates].map((rate, place) =>
        convNorm(map, `0.convs.${place}.0`, `0.convs.${place}.1`, rate),
      );
      const mean = convNorm(map.mean([1, 2], true), '0.convs.4.1', '0.convs.4.2');
      let x: Tensor = tf.concat([...spread, mean.tile([1, rows, columns, 1])], 3);
      x = dropped(convNorm(x, '0.project.0', '0.project.1'), dropout, options);
      return { logits: pointwise(pass, convNorm(x, '1', '2'), '4'), state: pass.state };
    },
  };
};
