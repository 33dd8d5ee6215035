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
// # Results
//
// **Claim.** *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks* ([arXiv
// 2303.15693](https://arxiv.org/abs/2303.15693)): networks that were pretrained on pathology patches do better after fine-tuning
// than networks pretrained on ImageNet. On PTCGA200 a ResNet-50 reaches an accuracy of **86.41 %** after SimCLR and 82.72 % after
// ImageNet.
//
// **What this page shows.** What pretraining buys in the finished runs of this folder, beside the paper's numbers of the same
// network: intervals, paired differences, learning curves, sites, calibration, cost. The eight digits beside a number name its
// run and link to the run's page. Runs that were made elsewhere: copy their folders and name them in `from`.
//
// | scale | content | time on two CPU cores |
// | --- | --- | --- |
// | `smoke` | the same page, with the missing cells of smoke scale | seconds |
// | `demo` | the default: with the missing cells of demo scale | half a minute |
// | `paper` | with the missing cells of paper scale | depends on the number of runs |

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // of the missing cells; runs of every scale are shown, never in one column
let from: string | undefined; // runs, or folders with runs, with commas between; by default results
let seed = 1; // of the bootstrap
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## Runs
//
// Every finished pretraining and fine-tuning. Files are compared with the hashes that their run kept before a number is taken
// from them. What is left out is listed with the reason: edited cells, files that changed, runs that did not finish, earlier
// attempts, other code.

// %%
import * as lab from 'pathlab';

const parameters = { scale, from, seed };
const results = await lab.gatherResults(parameters);
const run = await lab.openRun({ notebook: '40-results', parameters, inputs: results.inputs, out });
await lab.showResultRuns(run, results);

// %% [markdown]
// ## What pretraining buys
//
// A column has fine-tunings of one task and one scale, with the same network, settings, code, patches, labels, split and test
// patients; what differs in one of these is in another column. Weights of one name that were pretrained differently have rows of
// their own, with digits in brackets. The small scales are for trying pathlab: networks are small, trained for seconds or
// minutes, by default on synthetic tissue. Do not compare their numbers with the paper's.

// %% tags=["key-figure"]
const compared = await lab.compareResults(results);
await lab.showResults(run, results, compared, { save: run.figure('results.png') });

// %% [markdown]
// ## Differences
//
// The family of comparisons, named before the results were seen: of each scale, every pretraining against random weights and
// against ImageNet's, in the main metric, in all columns. Both sides are judged on the same test patients, and whole patients are
// resampled or swapped. Differences are of the fine-tuning seeds that both sides have. P-values are adjusted by Holm over the
// family. Spread by source tells how much patients, pretraining seeds and fine-tuning seeds (a fold and a seed together) move a
// value.

// %%
await lab.showResultDifferences(run, results, compared);

// %% [markdown]
// ## Few labels

// %%
await lab.showLabelCurves(compared, { save: run.figure('labels.png') });

// %% [markdown]
// ## Sites
//
// Values on the test patients of each site alone. Sites may differ in their classes too.

// %%
await lab.showSiteRobustness(run, results, compared);

// %% [markdown]
// ## Calibration
//
// Of classification. The diagrams are of each arm's first training, at this page's scale, with all labels.

// %%
await lab.showCalibration(run, results, compared);

// %% [markdown]
// ## Cost
//
// As the runs measured it: time with evaluations and without pauses, images per second without evaluations, the most memory that
// the process held after an evaluation. Energy is that of the CPU packages, where Linux lets a run read their counters; that of
// GPUs is not measured.

// %%
await lab.showResultCosts(run, results, compared);

// %% [markdown]
// ## Missing cells
//
// Every pretraining on every task, where no run at this page's scale has it on the scale's own data with all labels. The paper
// need not have them all.

// %%
await lab.showMissing(results);

// %% [markdown]
// ## Saved files
//
// `results.csv`, `differences.csv` and `costs.csv` have all numbers, not rounded; `results.tex` has the tables. The runs that were
// read are in the provenance, with their hashes: the same runs make the same page.

// %%
const facts = await lab.resultsFacts(run, results, compared);
await lab.showProvenance(await run.keep({ seed, device: lab.describeDevice(), ...facts }));
