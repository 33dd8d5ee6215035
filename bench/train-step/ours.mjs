// A ResNet-50 training step in pathlab: the peer of bench/peers/torch_resnet50.py.
import { resnet, sgd } from '../../dist/index.js';
import { serveTraining } from '../serve-training.mjs';

await serveTraining(() => resnet({ depth: 50 }), sgd({ momentum: 0.9 }), 0.01);
