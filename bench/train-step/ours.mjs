// A ResNet-50 training step in pathlab: the peer of bench/peers/torch_resnet50.py.
import { resnet } from '../../dist/models/index.js';
import { sgd } from '../../dist/training/index.js';
import { classifierObjective } from '../classifier-training.mjs';
import { serveTraining } from '../serve-training.mjs';

const objective = (_, classes) => classifierObjective({ backbone: resnet({ depth: 50 }), classes });
await serveTraining(objective, sgd({ momentum: 0.9 }), 0.01);
