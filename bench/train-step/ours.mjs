// A ResNet-50 training step in pathlab: the peer of bench/peers/torch_resnet50.py, with the same protocol.
//
// Arguments: precision, batch, image side in px, classes.
import {
  compile,
  dense,
  disposeTensors,
  gradients,
  key,
  randomNormal,
  resnet,
  sgd,
  softmaxCrossEntropy,
  tf,
} from '../../dist/index.js';
import { serveSteps } from '../serve-steps.mjs';

const [precision, ...numbers] = process.argv.slice(2);
const [batch, size, classes] = numbers.map(Number);
const root = key(1);
const backbone = resnet({ depth: 50 });
const optimizer = sgd({ momentum: 0.9 });

const step = compile(
  function trainStep(tensors, images, targets, learningRate) {
    const result = gradients(tensors.parameters, (parameters) => {
      const { features, state } = backbone.apply({ parameters, state: tensors.state }, images, { training: true });
      const logits = dense(features, parameters['fc.weight'], parameters['fc.bias']);
      return { loss: softmaxCrossEntropy(logits, targets).mean(), extra: state };
    });
    const next = optimizer.update(tensors.parameters, result.gradients, tensors.optimizer, learningRate);
    return {
      tensors: { parameters: next.parameters, state: result.extra, optimizer: next.state },
      loss: result.loss,
    };
  },
  { precision },
);

const { parameters, state } = backbone.initialize(root);
parameters['fc.weight'] = randomNormal(root.fold('fc'), [classes, backbone.featureSize], 0, 0.01);
parameters['fc.bias'] = tf.zeros([classes]);
let tensors = { parameters, state, optimizer: optimizer.initialize(parameters) };
const images = randomNormal(root.fold('images'), [batch, size, size, 3]);
const labels = Array.from({ length: batch }, (_, row) => row % classes);
const targets = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat());
const learningRate = tf.scalar(0.01);

await serveSteps(async () => {
  const output = await step(tensors, images, targets, learningRate);
  for (const record of Object.values(tensors)) disposeTensors(record);
  tensors = output.tensors;
  const [loss] = await output.loss.data();
  output.loss.dispose();
  return loss;
});
