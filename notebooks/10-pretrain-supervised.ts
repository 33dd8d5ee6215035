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
// # Supervised pretraining on pathology patches
//
// **Claim.** Labels that most slides already have, such as the organ, teach a network what tissue looks like.
// *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks* ([arXiv
// 2303.15693](https://arxiv.org/abs/2303.15693)) trains a ResNet-50 on the 20 primary sites of PTCGA200. Starting from
// ImageNet weights, it reaches **82.72 %** accuracy; self-supervised pretraining reaches up to 86.41 %.
//
// **What this page shows.** Supervised training on the data named below, and how well its features separate the classes of
// held-out patches, compared with the untrained network and with color features. At the small scales the network is small and
// trains for a minute; do not compare its accuracy with the paper's.
//
// | scale | content | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | all steps of the page; too short to learn much | half a minute |
// | `demo` | the default: a small ResNet, on a synthetic cohort unless `data` is given | a minute or two |
// | `paper` | the paper's settings, on PTCGA200's shards unless `data` is given | weeks; the page estimates it first |
//
// On your own patches: `-p data TABLE_OR_FOLDER`. From ImageNet weights: `-p backbone efficientnet_lite0 -p init imagenet`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of class folders, or a CSV of patches
let tile: number | undefined; // px; cuts images of any shape into square patches of this side; by default an image is a patch
let backbone: string | undefined; // small_resnet, small_vit or timm's name; by default the scale's; ViTs see ImageNet's colors
let size: number | undefined; // side of the views, px; by default the scale's
let stain: number | undefined; // strength of the stain (HED) jitter of views: .05 is light, .2 strong; none by default
let init: string | undefined; // initial weights: 'random' (default), 'imagenet' (of efficientnet_lite0), a run folder or a file
let epochs: number | undefined; // passes over the training patches; at the small scales a number of steps by default
let batchSize: number | undefined; // images per step
let microBatches: number | undefined; // parts that a batch is taken in, each with its own batch norm, to need less memory
let learningRate: number | undefined; // peak learning rate
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let labelSmoothing: number | undefined; // share of each target that is spread over all classes
let weighted: boolean | undefined; // whether rare classes weigh more, instead of being drawn more often
let neighbors: number | undefined; // k of the kNN evaluation
let seed = 1; // seed for weights, order of patches, views; data and split are the same for every seed
let processes = 1; // processes that train, each on its part of every batch: one for each GPU
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// Cross entropy over the classes, with dropout before the classifier. The small scales smooth labels and draw every class
// equally often. Set `init` to start from existing weights. A rerun with the same parameters and code continues the run.

// %%
import * as lab from 'pathlab';

const classes = { labelSmoothing, weighted };
const training = { epochs, batchSize, microBatches, learningRate, precision, ...classes, neighbors };
const parameters = { scale, data, tile, backbone, size, stain, init, ...training, seed };
const experiment = lab.pretrainExperiment('10-pretrain-supervised', parameters);
const { method, settings } = experiment;
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// `backbone` takes one of these networks, here and in the notebooks of the other methods.

// %%
await lab.modelTable();

// %% [markdown]
// ## Data
//
// Features are evaluated on patches of held-out patients or slides. Patches without a class are excluded from training.
// There must be at least two classes, and patches with a class in both parts of the split.

// %%
const patches = await lab.openPretrainingData(experiment, run);
await lab.showPretrainingData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Views
//
// The network sees a new random view of a patch each time. Its features become invariant to the differences between views.

// %%
await lab.showViews(method, patches.train, { seed, save: run.figure('views.png') });

// %% [markdown]
// ## Training
//
// The loss is the cross entropy of the class, on views with dropout; the line is the loss of equal outputs.
//
// Accuracy and the spread of features are measured on some or all held-out patches and do not influence training. If features
// or outputs collapse, a sentence says so. An interrupt saves a checkpoint; running the cell again continues from it.

// %%
if (experiment.scale === 'paper' && processes === 1) await lab.showPretrainingCost(experiment, patches);

// %% tags=["key-figure"]
const pretrained = await lab.pretrain(method, {
  settings,
  batches: patches.train,
  processes,
  ...lab.watch(run, experiment, patches),
});

// %% [markdown]
// ## Evaluation
//
// The network is frozen. kNN and a linear probe learn the classes from training patches and name them on held-out ones.

// %%
const features = await lab.evaluatedFeatures(pretrained.encoder, patches);
const comparison = await lab.compareWithBaselines(experiment, patches, { ...pretrained, features });
await lab.showComparison(comparison, { save: run.figure('knn.png'), table: run.file('knn.csv') });

// %% [markdown]
// ## Similar patches
//
// Held-out patches, each with the training patches whose features are most similar. They are of other patients or slides.

// %%
await lab.showNearest(features, patches, { save: run.figure('nearest.png') });

// %% [markdown]
// ## A map of the features
//
// UMAP places held-out patches with similar features close together. Where sites lie apart, the features tell the site.
// Distances between distant groups have no meaning.

// %%
await lab.showFeatureMap(features.heldOut, patches.heldOut, { seed, save: run.figure('map.png') });

// %% [markdown]
// ## Saved files
//
// The backbone in safetensors with timm's names, its model card (`model-card.md`), the key metrics, and their provenance.

// %%
const facts = await lab.pretrainingFacts(run, experiment, patches, { ...pretrained, comparison });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
