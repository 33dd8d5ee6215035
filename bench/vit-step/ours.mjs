// A ViT-S/16 training step in pathlab: the peer of bench/peers/torch_vit_step.py.
import { adamw, vit, vitSmall16 } from '../../dist/index.js';
import { serveTraining } from '../serve-training.mjs';

await serveTraining((imageSize) => vit({ ...vitSmall16, imageSize }), adamw({ weightDecay: 0.05 }), 1e-4);
