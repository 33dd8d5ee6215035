// A training step of DeepLab v3 with a dilated ResNet-50 (SGD with momentum, cross entropy of each pixel) in pathlab and in
// PyTorch with torchvision's network, channels last.
import { fileURLToPath } from 'node:url';
import { compareStep } from './compare-step.mjs';
import { peerPython } from './peer-environment.mjs';

const [batch, size, classes] = [8, 256, 6];
const sizes = [batch, size, classes].map(String);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('models');

await compareStep({
  name: 'segment-step',
  work: `DeepLab v3 training step, dilated ResNet-50, batch ${batch}, ${size} px, SGD with momentum`,
  ours: (precision) => [process.execPath, here('segment-step/ours.mjs'), precision, ...sizes],
  peer: (precision, variant, threads) => [
    ...[python, here('peers/torch_segment_step.py'), precision, ...variant, String(threads)],
    ...sizes,
  ],
  variants: [['eager'], ['compile']],
});
