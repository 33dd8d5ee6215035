// -*- coding: utf-8 -*-
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
// # Compiling segPANDA200
//
// **Claim.** *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks*
// ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)) cuts patches of 200 um (512 px, 0.39 um/px) from the prostate
// biopsies of PANDA, each with a mask of six classes. This page runs that definition from the list of slides to shards with
// image and mask that a training reads.
//
// **What it does not show.** At the small scales the slides are **synthetic**, drawn by the program in the form of the
// real ones; what is counted here says nothing of the real dataset.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step, on a few small synthetic slides | under 30 s |
// | `demo` | the default: a synthetic cohort | under a minute |
// | `paper` | the real definition, compiled from slides that were fetched before; refused where they are not here | `npx --no-install pathlab compile segpanda200 --plan` says |
//
// The same without a browser: `npm run notebook -- 03-compile-segpanda200 -p scale demo -p seed 2`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run
let seed = 1; // of the synthetic slides, and of what is drawn from a slide with more patches than are wanted
let from: string | undefined; // at paper scale: a folder of files that were downloaded before
let workers: number | undefined; // slides compiled at a time
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## The definition
//
// A dataset is a definition: where its slides come from, what is left out and why, how patches are labelled and cut, and
// how they are divided. It is resolved to a list of slides, and the list has a hash.

// %%
import { join } from 'node:path';
import * as lab from 'pathlab';

const parameters = { scale, seed, from, workers };
const experiment = lab.compileExperiment('segpanda200', { scale, from });
const run = await lab.openRun({ notebook: '03-compile-segpanda200', parameters, out });
const figure = (name: string) => join(run.figures, name);
await lab.showDefinition(lab.readDefinition('segpanda200'));

// %% [markdown]
// ## The slides
//
// At the small scales biopsies of two cores are drawn, benign glands and lengths of Gleason patterns, with masks in
// Radboud's values: 0 background, 1 stroma, 2 benign, 3 to 5 the patterns.

// %%
let drawing: lab.Progress | undefined;
const dataset = await lab.experimentDataset(experiment, lab.key(seed).fold('slides'), {
  onProgress: (done, total) => {
    drawing ??= lab.progress('synthetic slides', total);
    drawing.update(done);
  },
  signal: lab.interruptSignal(),
});
drawing?.finish();
const { ready, missing } = lab.slidesOnDisk(dataset);
await lab.showSlideList(dataset, missing);

// %% [markdown]
// ## What is cut from a slide
//
// Before anything is cut, tissue is told from glass. Yellow is its outline; blue frames are patches; where there is some
// tissue and no patch, the color says why. The tint is the mask: a color for each class.

// %%
const shown = ready.at(-1);
if (!shown) throw new Error('none of the slides is here');
await lab.showSlideCut({ definition: dataset.definition, slide: shown }, { seed, save: figure('slide.png') });

// %% [markdown]
// ## Compiling
//
// A shard a slide, with an index, a report and a card beside them. Running this again keeps what is there; a slide that
// fails is reported with its reason and does not stop the rest.

// %%
const compiling = lab.progress('slides', ready.length);
const compiled = await lab.compileDataset(
  { definition: dataset.definition, slides: ready, excluded: dataset.lock.excluded },
  {
    data: dataset.data,
    seed,
    workers,
    onProgress: (event) => {
      compiling.update(event.done);
      void run.emit({ kind: 'slide', ...event });
    },
    signal: lab.interruptSignal(),
  },
);
compiling.finish();
const { report } = compiled;
await lab.showCompiled(report);

// %%
await lab.showPictureGrid(await lab.shardPictures(compiled, { each: 3, most: 15 }), {
  columns: 6,
  cell: 150,
  alt: 'patches of biopsies, as the shards hold them, each with its mask of six classes',
  save: figure('patches.png'),
});

// %% [markdown]
// ## What is in it
//
// A patch counts for the class that its mask shows most.

// %% tags=["key-figure"]
await lab.showCounts(report, 'class', { save: figure('classes.png') });

// %%
await lab.showCounts(report, 'site', { save: figure('sites.png') });
await lab.showCounts(report, 'patient', { save: figure('patients.png') });

// %% [markdown]
// ## What a split leaks
//
// The paper divides by slide. The same shares are divided here by slide, by patient, by patients of whom those with patches
// that look alike count as one, and by site. Counted is what then is on two sides: patients, sites, patches of the same
// bytes, and pairs of patches that look alike by their perceptual hashes. At the small scales 20 % and 10 % are held out and
// not the paper's 2 % and 1 %, which of so few slides is nothing.

// %%
const audited = await lab.picturesOfShards(compiled.folder, { signal: lab.interruptSignal() });
const audits = lab.auditRules(audited, { ...dataset.definition.split, ...experiment.shares });
await lab.showRuleAudits(audits, { save: join(run.folder, 'split-audit.csv') });

// %% [markdown]
// Doubles of slides were planted under other patients, as real cohorts hold them: a split by patient cannot know. A scan on
// another scanner changes more of a hash than one on the same, so that few of its patches are recognized, or none; a single
// one ties the patients.

// %%
if (dataset.planted.length > 0) {
  await lab.showPlantedLeaks(lab.plantedFindings(dataset.planted, audited, audits));
}

// %%
await lab.showNearDuplicates(audited, audits, { save: figure('look-alike.png') });

// %% [markdown]
// ## What is kept
//
// The dataset card, which lies beside the shards in Markdown and in JSON.

// %%
await lab.showDatasetCard(compiled);

// %% [markdown]
// The provenance ties the shards, the card and the numbers to the code and to the list of slides.

// %%
const { counts } = report;
const about = `${counts.synthetic > 0 ? 'SYNTHETIC slides' : report.dataset}, ${report.slides.length} slides`;
await run.saveMetrics([
  { name: 'patches', value: counts.patches, about },
  { name: 'patients', value: Object.keys(counts.byPatient).length, about },
]);
const provenance = await lab.recordProvenance(run, {
  seed,
  device: lab.describeDevice(),
  data: ready.map(lab.dataFacts),
  choices: {
    'settings of the shards': report.settingsHash,
    'SHA-256 of the list': dataset.lock.listSha256,
    'SHA-256 of the card': await lab.digestOfFile(join(compiled.folder, 'CARD.md')),
  },
});
await lab.showProvenance(provenance);
