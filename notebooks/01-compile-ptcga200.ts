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
// # Compiling PTCGA200
//
// **Claim.** *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks*
// ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)) cuts up to 500 patches of 200 um (512 px, 0.39 um/px) from each
// diagnostic slide of TCGA and labels them with the slide's primary site: 20 classes. This page runs that definition from
// the list of slides to shards that a training reads.
//
// **What it does not show.** At the small scales the slides are **synthetic**, drawn by the program in the form of the
// real ones, but for one; what is counted here says nothing of the real dataset.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step, on a few small synthetic slides | under 30 s |
// | `demo` | the default: a synthetic cohort | under a minute |
// | `paper` | the real definition, compiled from slides that were fetched before; refused where they are not here | `npx --no-install pathlab compile ptcga200 --plan` says |
//
// The same without a browser: `npm run notebook -- 01-compile-ptcga200 -p scale demo -p seed 2`

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
const experiment = lab.compileExperiment('ptcga200', { scale, from });
const run = await lab.openRun({ notebook: '01-compile-ptcga200', parameters, out });
const figure = (name: string) => join(run.figures, name);
await lab.showDefinition(lab.readDefinition('ptcga200'));

// %% [markdown]
// ## The slides
//
// At the small scales a cohort is drawn: classes differ in **structure and not in color**, sites in stain and scanner, and
// as in TCGA a class comes mostly from a few sites. Doubles of a slide are filed under other patients on purpose. A file with
// the bytes of another is left out, and the table says so; a double that was scanned or saved anew is not found by its bytes.

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
// ## A real slide
//
// CMU-1-Small-Region, from OpenSlide's test data, cut as the definition says. Nobody has labelled it, so that it is a
// dataset of its own. Yellow is the outline of the tissue that is told from glass, blue frames are the patches; where
// there is some tissue and no patch, the color says why.

// %%
const sample = lab.sampleDataset(dataset.definition);
for (const slide of sample.slides) {
  await lab.showSlideCut({ definition: sample.definition, slide }, { seed, save: figure('real-slide.png') });
}

// %% [markdown]
// It was scanned more coarsely than the paper's patches are: they are enlarged, and show no more detail than the scanner
// saw. That is recorded with every slide.

// %%
const real = await lab.compileDataset(sample, { seed, workers, signal: lab.interruptSignal() });
for (const facts of real.report.slides) await lab.showSlideFacts(facts);

// %%
await lab.showPictureGrid(await lab.shardPictures(real, { each: 10, most: 10 }), {
  columns: 5,
  cell: 150,
  alt: 'ten patches of the real slide CMU-1-Small-Region, as its shard holds them',
  save: figure('real-patches.png'),
});

// %% [markdown]
// ## What is cut from a slide
//
// Before anything is cut, tissue is told from glass. Yellow is its outline; blue frames are patches; where there is some
// tissue and no patch, the color says why.

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
await lab.showPictureGrid(await lab.shardPictures(compiled, { each: 1, most: 20 }), {
  columns: 5,
  cell: 150,
  alt: 'one patch of each class, as the shards hold them',
  save: figure('patches.png'),
});

// %% [markdown]
// ## What is in it
//
// Classes, sites and patients are not evenly filled.

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
// ## What the sites give away
//
// A site's stain and scanner are in every patch of it. Here each patch's site, and its class, are guessed from colors alone,
// by the patches nearest in color. Classes come mostly from a few sites, as in TCGA: who knows the site has half told the
// class. Each patch is asked for its class twice: patches of other patients answer (a fifth of the patients is asked at a
// time), then patches of other sites (a site at a time). The difference is what a split by patient can flatter a network by;
// for its interval whole patients are drawn with replacement, each with both answers of its patches.

// %%
const leakage = await lab.siteLeakage(audited, {
  key: lab.key(seed).fold('colors'),
  signal: lab.interruptSignal(),
});
const of = report.counts.synthetic > 0 ? 'SYNTHETIC slides' : report.dataset;
await lab.showSiteLeakage(leakage, {
  subtitle: `${of}; 95 % intervals over patients`,
  save: figure('site-leakage.png'),
});

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
const about = `${of}, ${report.slides.length} slides`;
await run.saveMetrics([
  { name: 'patches', value: counts.patches, about },
  { name: 'patients', value: Object.keys(counts.byPatient).length, about },
  ...(leakage?.questions ?? []).map(({ name, value, low, high, chance, method }) => ({
    name: `${name}, by color alone`,
    value: 100 * value,
    interval: [100 * low, 100 * high] as const,
    unit: '%',
    about: `${about}; guessing ${(100 * chance).toFixed(1)} %; ${method}`,
  })),
  ...(leakage ? [leakage.gap] : []).map(({ value, low, high, method }) => ({
    name: 'class, by color alone: what the site adds',
    value: 100 * value,
    interval: [100 * low, 100 * high] as const,
    unit: 'percentage points',
    about: `${about}; difference of the two shares, of the same patches; ${method}`,
  })),
]);
const provenance = await lab.recordProvenance(run, {
  seed,
  device: lab.describeDevice(),
  data: [...ready, ...sample.slides].map(lab.dataFacts),
  choices: {
    'settings of the shards': report.settingsHash,
    'SHA-256 of the list': dataset.lock.listSha256,
    'SHA-256 of the card': await lab.digestOfFile(join(compiled.folder, 'CARD.md')),
  },
});
await lab.showProvenance(provenance);
