// A ViT-S/16 training step in pathlab: the peer of bench/peers/torch_vit_step.py.
import { vit, vitSmall16 } from '../../dist/models/index.js';
import { adamw } from '../../dist/training/index.js';
import { classifierObjective } from '../classifier-training.mjs';
import { serveTraining } from '../serve-training.mjs';

const objective = (imageSize, classes) => classifierObjective({ backbone: vit({ ...vitSmall16, imageSize }), classes });
await serveTraining(objective, adamw({ weightDecay: 0.05 }), 1e-4);
