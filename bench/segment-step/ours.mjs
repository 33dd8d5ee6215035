// A training step of DeepLab v3 in pathlab: the peer of bench/peers/torch_segment_step.py.
import { crossEntropy } from '../../dist/engine/index.js';
import { resnet, segmenter } from '../../dist/models/index.js';
import { sgd } from '../../dist/training/index.js';
import { serveTraining } from '../serve-training.mjs';

function objective(_, classes) {
  const network = segmenter({ backbone: resnet({ depth: 50, dilated: true }), head: 'deeplabv3', classes });
  return {
    initialize: (key) => network.initialize(key),
    loss(model, { images, labels }, { random }) {
      const { outputs, state } = network.apply(model, images, { training: true, key: random });
      return { loss: crossEntropy(outputs, labels), state };
    },
  };
}

await serveTraining(objective, sgd({ momentum: 0.9 }), 0.01, { pixels: true });
