export type { ModelTensors } from './forward-pass.js';
export { type Head, joinModels, mlp, type Network, subModel, withHead } from './network.js';
export { type Backbone, type ResnetOptions, resnet } from './resnet.js';
export { fromTorch, toTorch } from './torch-layout.js';
export { type VitOptions, vit, vitBase32, vitSmall16 } from './vit.js';
