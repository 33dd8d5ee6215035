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
// **Claim.** A network that paints what is hidden of a patch learns what tissue looks like. Later than *Large-scale pretraining
// on pathological images* ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)), its authors released a ViT-L/16 of MAE
// ([arXiv 2111.06377](https://arxiv.org/abs/2111.06377)): mean IoU **70.7 %** on segPANDA200; MoCo v2's ResNet-50 has 63.53 %.
//
// **What this page shows.** What MAE paints, and whether its features tell held-out patches apart better than the same network
// before training, and than color alone. MAE takes long: after a minute a small network paints color and little structure.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step of the page, too short to learn much | half a minute |
// | `demo` | the default: a small vision transformer, on a synthetic cohort unless `data` is given | a minute or two |
// | `paper` | the paper's settings, on PTCGA200's shards unless `data` is given | weeks: it says so first |

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of class folders, or a CSV of patches
let init: string | undefined; // the backbone's first weights: 'random' (default), a run folder or a file of weights
let epochs: number | undefined; // passes over the training patches; at the small scales a number of steps by default
let batchSize: number | undefined; // images a step
let learningRate: number | undefined; // at its peak
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let neighbors: number | undefined; // that vote in the kNN evaluation
let seed = 1; // of everything random: slides, split, weights, order of patches, views
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// The settings are MAE's; its crops are resized bicubically, these bilinearly. Features are the mean of the patch tokens
// after the last norm, of the whole image. Running the page again with the same parameters and code continues.

// %%
import * as lab from 'pathlab';

const training = { epochs, batchSize, learningRate, precision, neighbors };
const parameters = { scale, data, init, ...training, seed };
const experiment = lab.pretrainExperiment('15-pretrain-mae', parameters);
const { method, settings } = experiment;
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// ## Data
//
// Features are judged on patients or slides that training, which uses no class, has not seen. For your own patches give `data`.

// %%
const patches = await lab.openPretrainingData(experiment, run);
await lab.showPretrainingData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Views
//
// The network sees a quarter of one view: the encoder gets these patches alone, drawn anew each time.

// %%
await lab.showViews(method, patches.train, { seed, save: run.figure('views.png') });

// %% [markdown]
// ## Training
//
// The loss is the mean square error of the hidden patches, each with mean 0 and deviation 1; painting gray costs 1. The lower
// panels are measured on held-out patches and do not influence it. An interrupt of the kernel leaves a checkpoint.

// %%
if (experiment.scale === 'paper') {
  await lab.showCost(await lab.measureCost(method, { settings, batches: patches.train }));
}

// %% tags=["key-figure"]
const { encoder, model } = await lab.pretrain(method, {
  settings,
  batches: patches.train,
  ...lab.watch(run, experiment, patches),
});

// %% [markdown]
// ## What was learned
//
// Each painted patch gets the mean and the deviation of the patch that was hidden, or the gray of normalized targets would be
// seen: the pictures **show color and contrast that the network did not know**. Look at structure.

// %%
await lab.showReconstructions(method, model, patches.heldOut, { seed, save: run.figure('painted.png') });

// %%
const comparison = await lab.compareWithBaselines(experiment, patches, encoder);
await lab.showComparison(comparison, { save: run.figure('knn.png'), table: run.file('knn.csv') });

// %% [markdown]
// ## A map of the features
//
// UMAP puts held-out patches with similar features side by side. Distances between far groups mean nothing.

// %%
await lab.showFeatureMap(encoder, patches.heldOut, { seed, save: run.figure('map.png') });

// %% [markdown]
// ## What is kept
//
// The backbone in safetensors with timm's names, key numbers, and the provenance that ties them together.

// %%
const facts = await lab.pretrainingFacts(run, experiment, patches, { encoder, comparison });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
