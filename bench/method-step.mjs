import { fineTuneExperiment, pretrainExperiment } from '../dist/experiments/index.js';
import { comparePretraining } from './compare-pretraining.mjs';
import { measuredPrecisions } from './precisions.mjs';

const batch = 16;
const methods = {
  supervised: { notebook: '20-finetune-ptcga200', experimentOf: fineTuneExperiment, network: 'ResNet-50', depth: 50 },
  simclr: { notebook: '11-pretrain-simclr', network: 'ResNet-50', depth: 50 },
  mocov2: { notebook: '12-pretrain-mocov2', network: 'ResNet-50', depth: 50 },
  byol: { notebook: '13-pretrain-byol', network: 'ResNet-50', depth: 50 },
  dino: { notebook: '14-pretrain-dino', network: 'ViT-S/16' },
  // The paper's network is a ViT-L/16.
  mae: { notebook: '15-pretrain-mae', network: 'ViT-S/16' },
};

const changes = { dino: { frozenEpochs: 0 }, byol: { classifier: false } };

/**
 * The whole step of a method, of pretraining or of fine-tuning, with the settings of the paper, in batches of 16, in pathlab
 * and in PyTorch. Both take views, options and optimizer from the notebook's recipe at paper scale, but for three things: the
 * learning rate has no warm-up, so that steps can be compared, DINO's last layer is trained from the first step on, and
 * BYOL's detached classifier is left out. Two things differ: pathlab also measures the gradient's norm, and its training
 * looks at each loss; and MAE's decoder predicts the visible patches too, as the authors', where the peer leaves them out.
 *
 * @param {string} name the benchmark's
 * @param {keyof typeof methods} method
 */
export async function compareMethodStep(name, method) {
  const { notebook, experimentOf = pretrainExperiment, network, depth } = methods[method];
  const { method: made, settings } = experimentOf(notebook, { scale: 'paper', batchSize: batch });
  const options = { ...made.settings, ...changes[method] };
  await comparePretraining({
    name,
    work: `${made.name} from 512 px JPEGs in shards to updated weights, ${network}, batch ${batch}`,
    configurations: [{ name: made.name, method, depth, batch, options, settings, views: made.views }],
    precisions: measuredPrecisions(),
  });
}
