// Views alone, from shards of 512 px JPEGs to normalized batches: the paper's two for SimCLR and DINO's ten crops, in pathlab
// and in webdataset and torchvision with two workers; see compare-pretraining.mjs.
import { dinoViews, imageNetColors, selfSupervisedViews } from '../dist/augment/index.js';
import { comparePretraining } from './compare-pretraining.mjs';

const [batch, colors] = [32, imageNetColors];
const pair = Array(2).fill(selfSupervisedViews(224));

await comparePretraining({
  name: 'augment',
  work: `views of 512 px JPEGs in shards, batches of ${batch} images`,
  configurations: [
    { name: 'SimCLR, two views', batch, views: pair, colors },
    { name: "DINO's ten crops", batch, views: dinoViews(224), colors },
  ],
  precisions: ['float32'],
  viewsAlone: true,
});
