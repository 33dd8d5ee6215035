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
// # MAE on pathology patches
//
// **Claim.** A network that reconstructs the masked parts of a patch learns useful features of tissue. After
// *Large-scale pretraining on pathological images* ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)), its authors
// released a ViT-L/16 pretrained with MAE ([arXiv 2111.06377](https://arxiv.org/abs/2111.06377)): mean IoU **70.7 %**
// on segPANDA200; a ResNet-50 pretrained with MoCo v2 reaches 63.53 %.
//
// **What this page shows.** MAE's reconstructions, and how well its features separate the classes of held-out patches,
// compared with the untrained network and color features. After a minute, a small network reconstructs color and little
// structure.
//
// | scale | content | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | all steps of the page; too short to learn much | half a minute |
// | `demo` | the default: a small vision transformer, on a synthetic cohort unless `data` is given | a minute or two |
// | `paper` | the paper's settings, on PTCGA200's shards unless `data` is given | weeks; the page estimates it first |
//
// On your own patches: `-p data TABLE_OR_FOLDER`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of class folders, or a CSV of patches
let tile: number | undefined; // px; cuts images of any shape into square patches of this side; by default an image is a patch
let backbone: string | undefined; // small_vit or a vision transformer by timm's name; by default the scale's
let size: number | undefined; // side of the views, px; by default the scale's
let stain: number | undefined; // strength of the stain (HED) jitter of views: .05 is light, .2 strong; none by default
let init: string | undefined; // initial weights: 'random' (default), a run folder or a file
let epochs: number | undefined; // passes over the training patches; at the small scales a number of steps by default
let batchSize: number | undefined; // images per step
let microBatches: number | undefined; // parts that a batch is taken in, each with its own batch norm, to need less memory
let learningRate: number | undefined; // peak learning rate
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let neighbors: number | undefined; // k of the kNN evaluation
let seed = 1; // seed for weights, order of patches, views; data and split are the same for every seed
let processes = 1; // processes that train, each on its part of every batch: one for each GPU
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// The settings are those of MAE's authors. Features are the mean of the patch tokens of the whole image, after the last norm.
// A rerun with the same parameters and code continues the run.

// %%
import * as lab from 'pathlab';

const training = { epochs, batchSize, microBatches, learningRate, precision, neighbors };
const parameters = { scale, data, tile, backbone, size, stain, init, ...training, seed };
const experiment = lab.pretrainExperiment('15-pretrain-mae', parameters);
const { method, settings } = experiment;
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// ## Data
//
// Features are evaluated on patches of held-out patients or slides. Training uses no labels.

// %%
const patches = await lab.openPretrainingData(experiment, run);
await lab.showPretrainingData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Views
//
// The encoder sees a random quarter of the patches of one view.

// %%
await lab.showViews(method, patches.train, { seed, save: run.figure('views.png') });

// %% [markdown]
// ## Training
//
// The loss is the mean square error of the masked patches, each normalized to mean 0 and standard deviation 1; the line is the
// loss of gray reconstructions.
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
// ## Reconstructions
//
// Each reconstructed patch gets the mean and standard deviation of the masked original, because its target is normalized.
// So the images **show color and contrast that the network did not predict**. Judge their structure only.

// %%
await lab.showReconstructions(method, pretrained.model, patches.heldOut, {
  seed,
  save: run.figure('painted.png'),
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
