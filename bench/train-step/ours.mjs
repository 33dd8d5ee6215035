// A ResNet-50 training step in pathlab: the peer of bench/peers/torch_resnet50.py.
import { resnet } from '../../dist/models/index.js';
import { sgd } from '../../dist/training/index.js';
import { serveTraining } from '../serve-training.mjs';

await serveTraining(() => resnet({ depth: 50 }), sgd({ momentum: 0.9 }), 0.01);
