import { imageNetColors, normalize } from '../../dist/augment/index.js';
import { key } from '../../dist/base/index.js';
import { conv2d, randomNormal, resizeBilinear, tf } from '../../dist/engine/index.js';
import { backbone, toTorch } from '../../dist/models/index.js';

export const classes = [
  { name: 'background', color: '#ffffff' },
  { name: 'stroma', color: '#eda0c8' },
  { name: 'benign', color: '#50a050' },
  { name: 'gleason 3', color: '#f0dc3c' },
  { name: 'gleason 4', color: '#f08c1e' },
  { name: 'gleason 5', color: '#c81e1e' },
];

/** ResNet-50 with a 1 x 1 convolution to classes, enlarged to the image's size: a fully convolutional network. */
export function network() {
  const resnet = backbone('resnet50');
  const model = resnet.initialize(key(1));
  const head = randomNormal(key(2), [1, 1, resnet.featureSize, classes.length]).mul(0.05);
  return {
    predict(images) {
      const [, height, width] = images.shape;
      const { stages } = resnet.apply(model, normalize(images, imageNetColors), { training: false });
      return tf.softmax(resizeBilinear(conv2d(stages.at(-1), head), [height, width]));
    },
    /** As torchvision names them, the head as `head.weight`. */
    torchWeights: () => toTorch({ parameters: { ...model.parameters, 'head.weight': head }, state: model.state }),
  };
}
