// A ResNet-50 training step (SGD with momentum, batch norm's running statistics, cross entropy) in pathlab and in
// PyTorch.
import { fileURLToPath } from 'node:url';
import { compareStep } from './compare-step.mjs';
import { peerPython } from './peer-environment.mjs';

const [batch, size, classes] = [16, 224, 20];
const sizes = [batch, size, classes].map(String);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('torch');

await compareStep({
  name: 'train-step',
  work: `ResNet-50 training step, batch ${batch}, ${size} px, SGD with momentum`,
  ours: (precision) => [process.execPath, here('train-step/ours.mjs'), precision, ...sizes],
  peer: (precision, variant, threads) => [
    ...[python, here('peers/torch_resnet50.py'), precision, ...variant, String(threads)],
    ...sizes,
  ],
  variants: ['channels_last', 'nchw'].flatMap((format) => ['eager', 'compile'].map((mode) => [format, mode])),
});
