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
// # Segmenting segPANDA200
//
// **Claim.** Networks that were pretrained on pathology patches segment them better after fine-tuning than networks pretrained on
// other images. *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks* ([arXiv
// 2303.15693](https://arxiv.org/abs/2303.15693)) reports the mIoU of a ResNet-50 with an FCN head on the six classes of
// segPANDA200: **63.53 %** after MoCo v2 on PTCGA200, and 63.22 % after COCO. Released later: 69.61 % with DeepLab v3, and 70.7 %
// with a ViT-L/16 after MAE.
//
// **What this page shows.** The same comparison with the pretrainings of this folder, with intervals by patient, and a slide of
// a test patient segmented as a whole. At the small scales the network is small and trained for seconds; do not compare its mIoU
// with the paper's.
// On your own patches with masks: `npm run notebook -- 30-segment-segpanda200 -p data TABLE_OR_FOLDER`
//
// | scale | content | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | all steps of the page; too short to learn much | half a minute |
// | `demo` | the default: a small ResNet, on a synthetic cohort unless `data` is given | a minute or two |
// | `paper` | the paper's settings, on segPANDA200's shards unless `data` is given | weeks |

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of images/ and masks/, or a CSV of patches with masks
let tile: number | undefined; // px; cuts images of any shape into square patches of this side; by default an image is a patch
let backbone: string | undefined; // small_resnet, small_vit or timm's name; by default the scale's; ViTs see ImageNet's colors
let size: number | undefined; // side of the views, px; by default the scale's
let head: 'fcn' | 'deeplabv3' | 'linear' | 'pyramid' | undefined; // by default the paper's fcn; of a small ResNet or a ViT, pyramid
let init: string | undefined; // arms, with commas between: random, imagenet, run folders, files of weights, imagenet=FILE, coco=FILE
let folds: number | undefined; // parts of the training patients, each for validation once; 1: no validation
let seeds: number | undefined; // fine-tunings of each arm and fold
let patience: number | undefined; // stops a training so many steps after its best validation, with that model; by default never
let labels: number | undefined; // how many training patients' masks are used; by default all
let metric: string | undefined; // what arms are compared by, such as foregroundDice (without the first class); by default macroIou
let protocol: 'paper' | 'layerwise' | undefined; // layerwise: a transformer's earlier blocks learn at lower rates; by default paper
let testTime: 'none' | 'flips' | 'dihedral' | undefined; // orientations that predictions are means over; by default the scale's
let epochs: number | undefined; // passes over the training patches, instead of steps
let steps: number | undefined; // updates
let batchSize: number | undefined; // images per step
let microBatches: number | undefined; // parts that a batch is taken in, each with its own batch norm, to need less memory
let learningRate: number | undefined; // peak learning rate
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let seed = 1; // the first seed, for heads, order of patches, views; data and split are the same for every seed
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// The paper's protocol, as on page 20, with cross entropy of each pixel. Image and mask take the same random crop and flips. The
// small scales add a Dice loss and weigh rare classes more. Pixels of a mask value that the definition maps to `null` are ignored
// everywhere; in your own masks without a definition, those of 255 beside class numbers.

// %%
import * as lab from 'pathlab';

const compared = { folds, seeds, patience, labels, metric };
const training = { protocol, testTime, epochs, steps, batchSize, microBatches, learningRate, precision };
const parameters = { scale, data, tile, backbone, size, head, init, ...compared, ...training, seed };
const experiment = lab.fineTuneExperiment('30-segment-segpanda200', parameters);
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// ## Data
//
// Test patients are never trained on; folds are of the others. Masks are checked before they are trained on, and test masks when
// predictions are counted.

// %%
const patches = await lab.openFineTuningData(experiment, run);
await lab.showFineTuningData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Arms
//
// An arm is where the backbone's weights come from; everything else is the same, and heads begin at random. By default they are
// random weights, ImageNet's where the backbone has them, and each finished pretraining of this scale.

// %%
const arms = await lab.findArms(experiment, patches);

// %% [markdown]
// ## Fine-tuning
//
// An interrupt saves a checkpoint; running the cell again continues from it. What the test patches' predictions count is kept as
// each fine-tuning ends.

// %% tags=["key-figure"]
const fineTuned = await lab.fineTuneArms(run, experiment, patches, arms);

// %% [markdown]
// ## Results
//
// Metrics are of all pixels together. A class that is neither in the masks nor predicted is left out of the mean; the paper's
// code counts it as 0, which is the last column. The unit is the patient; where patients are unknown, the slide, or else the patch.
// Intervals and p-values resample whole units. The corrected t-test needs folds with test patients of their own, which these do not
// have: where it fits, use `correctedT` of `pathlab/evaluate`.

// %%
const comparison = await lab.compareFineTunings(experiment, fineTuned);
const saved = { save: run.figure('results.png'), table: run.file('results') };
await lab.showFineTunings(comparison, { main: experiment.task.main, ...saved });

// %% [markdown]
// ## A closer look
//
// Of the arm with the highest value, the first run. Choosing it after seeing the results is for the pictures only.

// %%
const best = lab.bestFineTuning(experiment, fineTuned, comparison);
await lab.showSegmentedClasses(best);
await lab.showSegmentedPatches(run, experiment, patches, best, { save: run.figure('errors.png') });

// %% [markdown]
// ## A whole slide
//
// Windows that overlap by a quarter, their probabilities blended. The label image and the outlines are in the run's folder,
// under `segmentation`; QuPath opens the outlines over the slide.

// %%
await lab.segmentTestSlide(run, experiment, patches, best);

// %% [markdown]
// ## Saved files
//
// Results as CSV and LaTeX, counts of each fine-tuning, and the model of each arm's first fold and seed in safetensors: the
// backbone with timm's names, and the head. `npx --no-install pathlab export RUN --arm NAME --to FORM --out FOLDER` exports
// one with its model card. Their provenance:

// %%
const facts = await lab.fineTuningFacts(run, experiment, patches, { ...fineTuned, arms, comparison });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
