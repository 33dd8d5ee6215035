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
// # Compiling PCam200
//
// **Claim.** *Large-scale pretraining on pathological images for fine-tuning of small pathological benchmarks*
// ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)) cuts patches of 200 um (512 px, 0.39 um/px) from the lymph node
// slides of Camelyon16 and labels them tumor or normal by the polygons of the lesions. This page runs that definition from
// the list of slides to shards that a training reads.
//
// **What it does not show.** At the small scales the slides are **synthetic**, drawn by the program in the form of the
// real ones; what is counted here says nothing of the real dataset.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step, on a few small synthetic slides | seconds |
// | `demo` | the default: a synthetic cohort | about a minute |
// | `paper` | the real definition, compiled from slides that were fetched before; refused where they are not here | days |
//
// The same without a browser: `npm run notebook -- 02-compile-pcam200 -p scale demo -p seed 2`

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
const experiment = lab.compileExperiment('pcam200', { scale, from });
const run = await lab.openRun({ notebook: '02-compile-pcam200', parameters, out });
const figure = (name: string) => join(run.figures, name);
const definition = lab.readDefinition('pcam200');
await lab.showTable(
  [
    { what: 'title', value: definition.title },
    { what: 'patches', value: JSON.stringify(definition.geometry) },
    { what: 'split', value: JSON.stringify(definition.split) },
    { what: 'licence', value: definition.licence.name },
    { what: 'citation', value: definition.citation },
    ...definition.exclusions.map(({ id, reason }) => ({ what: `without ${id}`, value: reason })),
    ...definition.notes.map((value) => ({ what: 'note', value })),
  ],
  { columns: { what: definition.name, value: '' } },
);

// %% [markdown]
// ## The slides
//
// At the small scales lymph nodes are drawn, half of them with tumors. Their polygons are ASAP XML as Camelyon's, with a
// hole of normal tissue in one. Two sites differ in stain and scanner.

// %%
let source = 'pcam200';
if (experiment.synthetic) {
  let drawing: lab.Progress | undefined;
  const drawn = await lab.syntheticDataset(experiment.synthetic, lab.key(seed).fold('slides'), {
    onProgress: (done, total) => {
      drawing ??= lab.progress('synthetic slides', total);
      drawing.update(done);
    },
    signal: lab.interruptSignal(),
  });
  drawing?.finish();
  source = drawn.definitionPath;
}
const dataset = await lab.resolveDataset(source, { from });
const { ready, missing } = lab.slidesOnDisk(dataset);
const facts = lab.listFacts(dataset);
await lab.showTable(
  [
    { what: 'definition', value: facts.title },
    { what: 'list', value: facts.resolution },
    { what: 'slides', value: `${facts.slides}, ${missing.length} of them not here` },
    { what: 'patients', value: String(facts.patients) },
    { what: 'sites', value: String(facts.sites) },
    ...facts.excluded.map(({ reason, slides }) => ({
      what: `${slides} left out`,
      value: reason,
    })),
  ],
  { columns: { what: facts.synthetic ? 'SYNTHETIC' : facts.dataset, value: '' } },
);

// %% [markdown]
// ## Tissue and patches
//
// Before anything is cut, tissue is told from glass. Yellow is its outline; blue frames are places that can give a patch.

// %%
const first = ready.at(-1);
if (!first) throw new Error('none of the slides is here');
const slide = await lab.openSlide(first.path);
const mask = await lab.tissueMask(slide);
const grid = lab.patchGrid(slide, mask);
await lab.showPicture(await lab.slideOverview(slide, mask, grid), {
  alt: `${first.id}${first.synthetic ? ' (synthetic)' : ''} with the outline of its tissue and ${grid.x.length} patches`,
  save: figure('slide.png'),
});
await slide.close();

// %% [markdown]
// ## Compiling
//
// A shard a slide, with an index, a report and a card beside them. Running this again keeps what is there; a slide that
// fails is reported with its reason and does not stop the rest.

// %%
const compiling = lab.progress('slides', ready.length);
const compiled = await lab.compileDataset(
  { definition: dataset.definition, slides: ready },
  {
    seed,
    workers,
    onProgress: (event) => {
      compiling.update(event.done);
      void run.emit({ kind: 'slide', ...event });
    },
    signal: lab.interruptSignal(),
  },
);
compiling.update(ready.length);
compiling.finish();
const { report } = compiled;
await lab.showTable(
  [
    { what: 'patches', value: String(report.counts.patches) },
    { what: 'of them synthetic', value: String(report.counts.synthetic) },
    { what: 'slides', value: String(report.slides.length) },
    { what: 'slides that failed', value: String(report.failures.length) },
    { what: 'JPEG', value: `${(report.counts.bytes / 2 ** 20).toFixed(1)} MiB` },
    ...report.failures.map(({ slide: id, reason }) => ({ what: id, value: reason })),
  ],
  { columns: { what: 'Compiled', value: '' } },
);

// %%
await lab.showPictureGrid(await lab.shardPictures(compiled, { each: 10, most: 20 }), {
  columns: 5,
  cell: 150,
  alt: 'patches of tumor and of normal tissue, as the shards hold them',
  save: figure('patches.png'),
});

// %% [markdown]
// ## What is in it
//
// Tumor is the rarer class.

// %% tags=["key-figure"]
const synthetic = report.counts.synthetic > 0 ? 'SYNTHETIC slides' : report.dataset;
const byClass = lab.countsChart(report.counts.byClass, {
  title: 'Patches of each class',
  subtitle: synthetic,
  of: 'patches',
});
await lab.showChart(byClass.spec, { alt: byClass.alt, save: figure('classes.png') });

// %%
const bySite = lab.countsChart(report.counts.bySite, {
  title: 'Patches of each site',
  subtitle: synthetic,
  of: 'patches',
});
await lab.showChart(bySite.spec, { alt: bySite.alt, save: figure('sites.png') });

// %%
const perPatient = Object.values(report.counts.byPatient);
const spread: Record<string, number> = {};
for (const count of [...perPatient].sort((one, other) => one - other)) {
  spread[`${count} patches`] = (spread[`${count} patches`] ?? 0) + 1;
}
const byPatient = lab.countsChart(spread, {
  title: `Patches of ${perPatient.length} patients`,
  subtitle: synthetic,
  of: 'patients',
});
await lab.showChart(byPatient.spec, { alt: byPatient.alt, save: figure('patients.png') });

// %% [markdown]
// ## What is kept
//
// The dataset card lies beside the shards in Markdown, the report in JSON. The provenance ties both to the code and to the
// list of slides.

// %%
const cardPath = join(compiled.folder, 'CARD.md');
await run.saveMetrics([
  { name: 'patches', value: report.counts.patches, about: `${synthetic}, ${report.slides.length} slides` },
  { name: 'patients', value: perPatient.length, about: synthetic },
]);
const provenance = await lab.recordProvenance(run, {
  seed,
  device: lab.describeDevice(),
  data: ready.map(({ id, origin, licence, synthetic: drawn, sha256 }) => ({
    name: id,
    origin,
    licence,
    synthetic: drawn,
    sha256,
  })),
  choices: {
    'settings of the shards': report.settingsHash,
    'SHA-256 of the list': facts.listSha256,
    'SHA-256 of the card': await lab.digestOfFile(cardPath),
  },
});
await lab.showProvenance(provenance);
