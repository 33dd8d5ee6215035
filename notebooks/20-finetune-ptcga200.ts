// ---
// jupyter:
//   jupytext:
//     formats: ipynb,ts:percent
//     text_representation:
//       extension: .ts
//       format_name: percent
//       format_version: '1.3'
//       jupytext_version: 1.19.6
//   kernelspec:
//     display_name: TypeScript (pathlab)
//     language: typescript
//     name: pathlab
// ---

// %% [markdown]
// # Fine-tuning on PTCGA200
//
// **Claim.** Networks that were pretrained on pathology patches classify them better after fine-tuning than networks pretrained on
// ImageNet. *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks* ([arXiv
// 2303.15693](https://arxiv.org/abs/2303.15693)) reports the accuracy of a ResNet-50 on the 20 primary sites of PTCGA200:
// **86.41 %** after SimCLR, 84.91 % after BYOL, 83.94 % after MoCo v2, and 82.72 % after ImageNet.
//
// **What this page shows.** The same comparison with the pretrainings of this folder, with intervals by patient. At the small
// scales the network is small and trained for seconds; do not compare its accuracy with the paper's.
// On your own patches: `npm run notebook -- 20-finetune-ptcga200 -p data TABLE_OR_FOLDER`
//
// | scale | content | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | all steps of the page; too short to learn much | half a minute |
// | `demo` | the default: a small ResNet, on a synthetic cohort unless `data` is given | a minute |
// | `paper` | the paper's settings, on PTCGA200's shards unless `data` is given | weeks |

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of class folders, or a CSV of patches
let tile: number | undefined; // px; cuts images of any shape into square patches of this side; by default an image is a patch
let backbone: string | undefined; // small_resnet, small_vit or timm's name; by default the scale's; ViTs see ImageNet's colors
let size: number | undefined; // side of the views, px; by default the scale's
let init: string | undefined; // arms, with commas between: random, imagenet, run folders, files of weights, imagenet=FILE, coco=FILE
let folds: number | undefined; // parts of the training patients, each for validation once; 1: no validation
let seeds: number | undefined; // fine-tunings of each arm and fold
let patience: number | undefined; // stops a training so many steps after its best validation, with that model; by default never
let labels: number | undefined; // how many training patients' labels are used; by default all
let metric: string | undefined; // what arms are compared by, such as balancedAccuracy; by default accuracy
let protocol: 'paper' | 'bit' | 'layerwise' | undefined; // how a network is trained, see Settings; by default paper
let loss: 'cross-entropy' | 'smoothed' | 'weighted' | undefined; // smoothed: labels, by .1; weighted: rare classes weigh more
let testTime: 'none' | 'flips' | 'dihedral' | undefined; // orientations that predictions are means over; by default the scale's
let epochs: number | undefined; // passes over the training patches, instead of steps
let steps: number | undefined; // updates
let batchSize: number | undefined; // images per step
let microBatches: number | undefined; // parts that a batch is taken in, each with its own batch norm, to need less memory
let learningRate: number | undefined; // peak learning rate
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let seed = 1; // the first seed, for classifiers, order of patches, views; data and split are the same for every seed
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// By default the paper's protocol: AdamW, a learning rate of 1e-4 for a batch of 512, one epoch of warm-up, then a cosine, 1,000
// updates; dropout before the classifier, running statistics of batch norm reset. The reference code's integer division makes the
// learning rate 0 for batches under 512; here it is in proportion. `protocol` takes `bit` for BiT's rule (SGD, 500 updates at
// paper scale, no dropout or weight decay, fewer than 20,000 patches) and `layerwise` for lower rates in a transformer's earlier
// blocks.

// %%
import * as lab from 'pathlab';

const compared = { folds, seeds, patience, labels, metric };
const recipe = { protocol, loss, testTime };
const training = { ...recipe, epochs, steps, batchSize, microBatches, learningRate, precision };
const parameters = { scale, data, tile, backbone, size, init, ...compared, ...training, seed };
const experiment = lab.fineTuneExperiment('20-finetune-ptcga200', parameters);
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// ## Data
//
// The test patients are those that the pretraining pages hold out of the same data: no network pretrained there has seen them.
// Folds are of the other patients. Where `labels` is given, patients are drawn at random, but so that each class is among them.

// %%
const patches = await lab.openFineTuningData(experiment, run);
await lab.showFineTuningData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Arms
//
// An arm is where the weights come from; everything else is the same. By default they are random weights, ImageNet's where the
// backbone has them, and each finished pretraining of this scale. A pretraining on these data with another split is left out.

// %%
const arms = await lab.findArms(experiment, patches);

// %% [markdown]
// ## Fine-tuning
//
// An interrupt saves a checkpoint; running the cell again continues from it. Predictions for the test patches are kept as each
// fine-tuning ends.

// %% tags=["key-figure"]
const fineTuned = await lab.fineTuneArms(run, experiment, patches, arms);

// %% [markdown]
// ## Results
//
// The unit is the patient; where patients are unknown, the slide, or else the patch. Intervals and p-values resample whole units,
// since patches of a patient are alike. Spread by source tells how much pretraining seeds, fine-tuning seeds (a fold and a seed
// together, and with few labels their draw) and units move the value. McNemar's and DeLong's tests take cases for independent,
// which patches of a patient are not, and the corrected t-test needs folds with test patients of their own, which these do not
// have: where they fit, use `mcnemarTest`, `delongTest` and `correctedT` of `pathlab/evaluate`.

// %%
const comparison = await lab.compareFineTunings(experiment, fineTuned);
const saved = { save: run.figure('results.png'), table: run.file('results') };
await lab.showFineTunings(comparison, { main: experiment.task.main, ...saved });

// %% [markdown]
// ## A closer look
//
// Curves are of each arm's first run; the other figures are of the first run of the arm with the highest value, which is chosen
// after seeing the results and for the pictures only. Grad-CAM shows what counts for the predicted class (of a vision transformer,
// where its class token attends to).

// %%
const first = lab.firstResults(fineTuned);
await lab.showReliability(first, { save: run.figure('reliability.png') });
await lab.showCurves(first, { key: lab.key(seed), resamples: 2000, save: run.figure('curves.png') });

// %%
const best = lab.bestFineTuning(experiment, fineTuned, comparison);
await lab.showClassified(run, experiment, patches, best);
await lab.classifyTestSlide(run, experiment, patches, best);

// %% [markdown]
// ## Frozen features
//
// The same arms without training the backbone; of several pretraining seeds, the first is taken. Few labels are drawn ten times;
// all classes get the same number.

// %%
const { learning, chance } = await lab.showFrozenFeatures(experiment, patches, arms);
await lab.showLearningCurves(learning, {
  metric: 'balanced accuracy',
  chance,
  save: run.figure('few-shot.png'),
});

// %% [markdown]
// ## Saved files
//
// Results as CSV and LaTeX, predictions of each fine-tuning, and the model of each arm's first fold and seed in safetensors: the
// backbone with timm's names, and the classifier. `npx --no-install pathlab export RUN --arm NAME --to FORM --out FOLDER` exports
// one with its model card. Their provenance:

// %%
const facts = await lab.fineTuningFacts(run, experiment, patches, { ...fineTuned, arms, comparison });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
