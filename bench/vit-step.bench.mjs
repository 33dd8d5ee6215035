// A ViT-S/16 training step (AdamW with weight decay on matrices, cross entropy) in pathlab and in PyTorch with
// scaled_dot_product_attention and fused AdamW.
import { fileURLToPath } from 'node:url';
import { compareStep } from './compare-step.mjs';
import { peerPython } from './peer-environment.mjs';

const [batch, size, classes] = [16, 224, 20];
const sizes = [batch, size, classes].map(String);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('torch');

await compareStep({
  name: 'vit-step',
  work: `ViT-S/16 training step, batch ${batch}, ${size} px, AdamW`,
  ours: (precision) => [process.execPath, here('vit-step/ours.mjs'), precision, ...sizes],
  peer: (precision, variant, threads) => [
    ...[python, here('peers/torch_vit_step.py'), precision, ...variant, String(threads)],
    ...sizes,
  ],
  variants: [['eager'], ['compile']],
});
