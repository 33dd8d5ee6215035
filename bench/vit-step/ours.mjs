// A ViT-S/16 training step in pathlab: the peer of bench/peers/torch_vit_step.py, with the same protocol.
//
// Arguments: precision, batch, image side in px, classes.
import {
  adamw,
  compile,
  dense,
  disposeTensors,
  gradients,
  key,
  randomNormal,
  softmaxCrossEntropy,
  tf,
  vit,
  vitSmall16,
} from '../../dist/index.js';
import { serveSteps } from '../serve-steps.mjs';

const [precision, ...numbers] = process.argv.slice(2);
const [batch, size, classes] = numbers.map(Number);
const root = key(1);
const backbone = vit({ ...vitSmall16, imageSize: size });
const optimizer = adamw({ weightDecay: 0.05 });

const step = compile(
  function trainStep(tensors, images, targets, learningRate) {
    const result = gradients(tensors.parameters, (parameters) => {
      const { features } = backbone.apply({ parameters, state: {} }, images, { training: true });
      const logits = dense(features, parameters['head.weight'], parameters['head.bias']);
      return { loss: softmaxCrossEntropy(logits, targets).mean() };
    });
    const next = optimizer.update(tensors.parameters, result.gradients, tensors.optimizer, learningRate);
    return { tensors: { parameters: next.parameters, optimizer: next.state }, loss: result.loss };
  },
  { precision },
);

const { parameters } = backbone.initialize(root);
parameters['head.weight'] = randomNormal(root.fold('head'), [classes, backbone.featureSize], 0, 0.02);
parameters['head.bias'] = tf.zeros([classes]);
let tensors = { parameters, optimizer: optimizer.initialize(parameters) };
const images = randomNormal(root.fold('images'), [batch, size, size, 3]);
const labels = Array.from({ length: batch }, (_, row) => row % classes);
const targets = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat());
const learningRate = tf.scalar(1e-4);

await serveSteps(async () => {
  const output = await step(tensors, images, targets, learningRate);
  for (const record of Object.values(tensors)) disposeTensors(record);
  tensors = output.tensors;
  const [loss] = await output.loss.data();
  output.loss.dispose();
  return loss;
});
