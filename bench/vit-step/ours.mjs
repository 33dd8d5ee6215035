// A ViT-S/16 training step in pathlab: the peer of bench/peers/torch_vit_step.py.
import { vit, vitSmall16 } from '../../dist/models/index.js';
import { adamw } from '../../dist/training/index.js';
import { serveTraining } from '../serve-training.mjs';

await serveTraining((imageSize) => vit({ ...vitSmall16, imageSize }), adamw({ weightDecay: 0.05 }), 1e-4);
