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
// # DINO on pathology patches
//
// **Claim.** A network can teach itself, without labels, to say of a detail what it says of the whole. The paper pretrains
// a ViT-S/16 with DINO on PTCGA200; its abstract has accuracies of ResNet-50 alone: SimCLR **86.41 %**, BYOL 84.91,
// MoCo v2 83.94, ImageNet 82.72 ([Large-scale pretraining on pathological images](https://arxiv.org/abs/2303.15693)).
//
// **What this page shows.** DINO on the data named below, and whether its features tell held-out patches apart better
// than the same network before training, and better than color alone. At the small scales the network is small and trains
// for a minute: do not compare its numbers with the paper's.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step of the page, too short to learn much | half a minute |
// | `demo` | the default: a small ResNet, on a synthetic cohort unless `data` is given | a minute or two |
// | `paper` | the paper's settings, on PTCGA200's shards unless `data` is given | weeks: it says so first |
//
// On your own patches: `npm run notebook -- 14-pretrain-dino -p data TABLE_OR_FOLDER`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let data: string | undefined; // a definition, compiled shards, a folder of class folders, or a CSV of patches
let init: string | undefined; // the backbone's first weights: 'random' (default), a run folder or a file of weights
let epochs: number | undefined; // passes over the training patches; at the small scales a number of steps by default
let batchSize: number | undefined; // images a step, each in several views
let learningRate: number | undefined; // at its peak
let precision: 'float32' | 'bfloat16' | 'float16' | undefined; // of convolutions and matrix products
let neighbors: number | undefined; // that vote in the kNN evaluation
let seed = 1; // of everything random: slides, split, weights, order of patches, views
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Settings
//
// What the paper does not publish is taken from the recipe of DINO's authors for ViT-S/16. Running the page again with
// the same parameters and code continues where the run was.

// %%
import * as lab from 'pathlab';

const training = { epochs, batchSize, learningRate, precision, neighbors };
const parameters = { scale, data, init, ...training, seed };
const experiment = lab.pretrainExperiment('14-pretrain-dino', parameters);
const { method, settings } = experiment;
const run = await lab.openRun({ notebook: experiment.notebook, parameters, out });
await lab.showSettings(experiment);

// %% [markdown]
// ## Data
//
// Features are judged on patches of patients or slides that training has not seen. Training itself uses no class.

// %%
const patches = await lab.openPretrainingData(experiment, run);
await lab.showPretrainingData(patches, { save: run.figure('patches.png') });

// %% [markdown]
// ## Views
//
// Of each patch there are two large crops and several small ones. A student sees all, its teacher the large ones alone;
// the student has to say of every view what the teacher says of the other large ones.

// %%
await lab.showViews(method, patches.train, { seed, save: run.figure('views.png') });

// %% [markdown]
// ## Training
//
// Cross entropy of student and teacher; at the line all outputs are equally likely, and nothing is learned. The teacher,
// a slow copy of the student, is what is kept. An interrupt leaves a checkpoint, from which the cell goes on.

// %%
if (experiment.scale === 'paper') {
  await lab.showCost(await lab.measureCost(method, { settings, batches: patches.train }));
}

// %% tags=["key-figure"]
const { encoder } = await lab.pretrain(method, {
  settings,
  batches: patches.train,
  ...lab.watch(run, experiment, patches),
});

// %% [markdown]
// ## What was learned

// %%
const comparison = await lab.compareWithBaselines(experiment, patches, encoder);
await lab.showComparison(comparison, { save: run.figure('knn.png'), table: run.file('knn.csv') });

// %% [markdown]
// ## A map of the features
//
// UMAP puts held-out patches with similar features beside each other. Distances between far groups mean nothing.

// %%
await lab.showFeatureMap(encoder, patches.heldOut, { seed, save: run.figure('map.png') });

// %% [markdown]
// ## What is kept
//
// The backbone in safetensors with torchvision's names, key numbers, and the provenance that ties them together.

// %%
const facts = await lab.pretrainingFacts(run, experiment, patches, { encoder, comparison });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
