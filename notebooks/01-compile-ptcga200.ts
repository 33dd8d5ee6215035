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
// # Compiling PTCGA200
//
// **Claim.** *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks*
// ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)) cuts up to 500 patches of 200 um (512 px, 0.39 um/px) from each
// diagnostic slide of TCGA and labels them with the slide's primary site: 20 classes. This page runs that definition
// from the list of slides to the shards that training reads.
//
// | scale | what is compiled | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step, on a few small **synthetic** slides in the real format | half a minute |
// | `demo` | the default: a **synthetic** cohort; its results do not apply to the real dataset | a minute |
// | `paper` | the real slides; fetch them first | see `npx --no-install pathlab compile ptcga200 --plan` |
//
// On your own slides or patches: `npm run notebook -- 01-compile-ptcga200 -p data DEFINITION_OR_TABLE_OR_FOLDER`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run
let data: string | undefined; // a definition, a folder of class folders, or a CSV of patches
let from: string | undefined; // folder with downloaded files, for real data
let seed = 1; // seed for synthetic slides and for sampling a slide's patches
let workers: number | undefined; // slides compiled in parallel
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Definition and slides

// %%
import * as lab from 'pathlab';

const parameters = { scale, data, from, seed, workers };
const experiment = await lab.compileExperiment('ptcga200', parameters);
const run = await lab.openRun({ notebook: '01-compile-ptcga200', parameters, out });
await lab.showDefinition(experiment);
const dataset = await lab.prepareDataset(experiment);
await lab.showSlideList(dataset);

// %% [markdown]
// ## Patches of a slide

// %%
await lab.showSlideCut(dataset, { seed, save: run.figure('slide.png') });
const real = await lab.showRealSlide(run, dataset.definition, { seed, workers });

// %% [markdown]
// ## Compiling

// %%
const compiled = await lab.compileWithProgress(run, dataset, { seed, workers });
await lab.showCompiled(compiled.report);
await lab.showPatches(compiled, { save: run.figure('patches.png') });

// %% [markdown]
// ## Contents

// %% tags=["key-figure"]
await lab.showCounts(compiled.report, 'class', { save: run.figure('classes.png') });

// %%
await lab.showCounts(compiled.report, 'site', { save: run.figure('sites.png') });
await lab.showCounts(compiled.report, 'patient', { save: run.figure('patients.png') });

// %% [markdown]
// ## Leaks of the split

// %%
const audit = await lab.auditSplits(dataset, compiled);
await lab.showSplitAudit(run, audit);

// %% [markdown]
// ## Site leakage
//
// Every patch shows its site's stain and scanner. Here nearest neighbors in color predict the site and the class of each
// patch. Most classes come from a few sites, so the site is a clue to the class. The neighbors are patches of other patients
// (five folds), then patches of other sites (one site at a time). The difference in accuracy shows how much a split by
// patient can overestimate a network.

// %%
const leakage = await lab.showSiteLeakage(run, audit, { seed });

// %% [markdown]
// ## Saved files

// %%
await lab.showDatasetCard(compiled);
const facts = await lab.compileFacts(dataset, compiled, { slides: real.slides, leakage });
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
