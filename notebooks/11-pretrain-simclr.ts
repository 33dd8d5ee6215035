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
// # SimCLR on pathology patches
//
// **Claim.** A network that has never seen a label can learn features that tell tissue apart. In *Large-scale
// pretraining on pathological images for fine-tuning of small pathological benchmarks*
// ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)) a ResNet-50 pretrained with SimCLR on the 20 primary sites of
// PTCGA200 reaches **86.41 %** accuracy; one pretrained on ImageNet reaches 82.72 %.
//
// **What this page shows.** The method, whole, on tissue that fits on a laptop: a small ResNet, synthetic H&E slides
// whose kinds of tissue differ in structure rather than in color, and one real slide. It answers one question: do the
// learned features tell apart the tissue of slides that were not trained on better than the same network before
// training?
//
// **What it does not show.** Its numbers are not comparable with the paper's: other tissue, another task, a smaller
// network, minutes instead of days.
//
// | scale | what it is | on two CPU cores |
// | --- | --- | --- |
// | `smoke` | every step of the page, too short to learn much | under 30 s |
// | `demo` | the default | under 3 min |
// | `paper` | the paper's settings on PTCGA200; refused until this page can train on its shards | – |
//
// The same without a browser: `npm run notebook -- 11-pretrain-simclr -p scale demo -p seed 2`

// %% tags=["parameters"]
let scale: 'smoke' | 'demo' | 'paper' = 'demo'; // size of the run; what is undefined below follows from it
let epochs: number | undefined; // passes over the training patches
let batchSize: number | undefined; // images a step, each in two views
let learningRate: number | undefined; // at its peak
let neighbors: number | undefined; // that vote in the kNN evaluation
let seed = 1; // of everything random: slides, split, weights, order of patches, views
let out: string | undefined; // run folder; by default results/runs/<notebook>-<scale>-<hash>

// %% [markdown]
// ## The run
//
// A run lives in a folder whose name carries a hash of its parameters and code. Running the page again continues there:
// slides are not drawn and steps not trained twice.

// %%
import { join } from 'node:path';
import { op, table } from 'arquero';
import * as lab from 'pathlab';

const parameters = { scale, epochs, batchSize, learningRate, neighbors, seed };
const experiment = lab.simclrExperiment(parameters);
const run = await lab.openRun({ notebook: '11-pretrain-simclr', parameters, out });
const { settings } = experiment;
const figure = (name: string) => join(run.figures, name);

// %% [markdown]
// The settings beside the paper's. What the paper does not publish is taken from the implementation that it used.

// %%
const flat = ({ views, seed: _, ...others }: lab.SimclrSettings): Record<string, unknown> => ({
  ...others,
  ...views,
});
const here = flat(settings);
const paper = flat(lab.simclrSettings({ scale: 'paper' }));
await lab.showTable(
  Object.keys(paper).map((name) => ({ name, here: here[name], paper: paper[name] })),
  { columns: { name: 'Setting', here: 'Here', paper: 'Paper' } },
);

// %% [markdown]
// ## A real slide
//
// CMU-1-Small-Region, from OpenSlide's test data. Before anything is cut from a slide its pixel size has to be known,
// and tissue told from glass: yellow is the tissue's outline, blue frames are the patches that are taken.

// %%
const real = lab.sampleSlide();
const slide = await lab.openSlide(real.path);
const mask = await lab.tissueMask(slide);
const grid = lab.patchGrid(slide, mask);
await lab.showPicture(await lab.slideOverview(slide, mask, grid), {
  alt: `${real.id} with the outline of its tissue and ${grid.x.length} patches of ${grid.geometry.micrometers} um`,
  save: figure('slide.png'),
});

// %% [markdown]
// The paper cuts patches of 200 um at 0.39 um/px. This slide was scanned more coarsely: at the paper's size its patches
// are enlarged and show no more detail than the scanner saw. For the small network of this page the same 200 um are read
// at a coarser scale still, which the table of the split below states.

// %%
const { from, to, factor, direction } = grid.resampling;
await lab.showTable(
  [
    {
      what: 'slide',
      value: `${slide.width} x ${slide.height} px, ${slide.vendor}, ${real.licence}`,
    },
    { what: 'pixel size', value: `${slide.mpp} um/px, from ${slide.magnification.source}` },
    { what: 'tissue', value: mask.method },
    { what: 'patches', value: `${grid.x.length} of ${grid.geometry.micrometers} um` },
    {
      what: 'resampling',
      value: `${direction} x ${factor.toFixed(2)}: ${from.toFixed(3)} to ${to.toFixed(3)} um/px`,
    },
  ],
  { columns: { what: real.id, value: '' } },
);
await slide.close();

// %% [markdown]
// ## Synthetic slides
//
// One slide without labels cannot show whether features generalize. The rest of the tissue is **synthetic**: drawn from
// the seed, each slide with a stain and a texture of its own. All kinds are made of the same amounts of the same
// materials; what differs is how nuclei, stroma and lumina are arranged. How much color alone gives away is measured
// below.

// %%
const drawing = lab.progress('synthetic slides', experiment.cohort.slides);
const cohort = await lab.syntheticCohort(experiment.cohort, lab.key(seed).fold('cohort'), {
  onProgress: (done) => drawing.update(done),
  signal: lab.interruptSignal(),
});
drawing.finish();

const patches = await lab.loadPatchSet([real, ...cohort.slides], {
  size: experiment.patchSize,
  signal: lab.interruptSignal(),
});

// %%
const examples = [
  ...patches.classNames.map((_, kind) => patches.labels.indexOf(kind)),
  ...[4, 10].map((place) => patches.slides.indexOf(real.id) + place),
];
const pictures = await lab.closeUps(patches, examples, 224);
await lab.showPictureGrid(
  pictures.map((picture, index) => ({
    ...picture,
    caption: patches.classNames[index] ?? real.id,
    ...(patches.synthetic[examples[index] ?? -1] ? { mark: 'SYNTHETIC' } : {}),
  })),
  {
    columns: 5,
    alt: `one patch of each synthetic kind, and two of ${real.id}`,
    save: figure('kinds.png'),
  },
);

// %% [markdown]
// ## Which slides are held out
//
// Patches of one slide resemble each other. Features are therefore judged on slides that training has not seen. Training
// uses no label. The settings of the demo were chosen on synthetic slides of seeds 1 to 3 with their labels, so that these
// seeds flatter themselves; `npm run campaign -- simclr-seeds` measures seeds that nothing was chosen on.

// %%
const split = lab.splitBySlide(patches, { heldOut: experiment.heldOut }, lab.key(seed).fold('split'));
const train = lab.selectPatches(patches, split.train);
const bank = lab.selectPatches(patches, split.trainLabelled);
const heldOut = lab.selectPatches(patches, split.heldOut);
const chance = 1 / patches.classNames.length;

const part = patches.slides.map((id) => (split.heldOutSlides.includes(id) ? 'held out' : 'training'));
const counted = lab
  .patchTable(patches)
  .assign(table({ part }))
  .groupby('part', 'synthetic', 'resampled', 'mpp')
  .rollup({ slides: op.distinct('slide'), patches: op.count() });
await lab.showTable(counted, {
  caption: 'Patches as the network gets them',
  columns: {
    part: 'Part',
    synthetic: 'Synthetic',
    slides: 'Slides',
    patches: 'Patches',
    resampled: 'Resampled',
    mpp: 'um/px',
  },
});

// %% [markdown]
// ## Views
//
// SimCLR never sees a patch itself, only views of it: cropped, flipped, its colors shifted, sometimes gray or blurred.
// Two views of one patch have to find each other among the views of all patches of a batch. What the views change, the
// features learn to ignore.

// %%
const shown = lab.selectPatches(patches, examples.slice(0, patches.classNames.length));
await lab.showViews(
  shown,
  settings.views,
  lab.key(seed).fold('shown views'),
  {
    alt: `${shown.count} patches as the network gets them, and two views of each`,
    save: figure('views.png'),
  },
  (index) => ({ caption: patches.classNames[index] ?? '', mark: 'SYNTHETIC' }),
);

// %% [markdown]
// ## Training
//
// The loss is NT-Xent: how hard it is to find the other view. With N images in a batch it would be log(2N - 1) if all
// views looked alike to the network; an untrained one can be above that. It needs no labels. The lower panel is measured
// beside it, on held-out slides, and does not influence it. Interrupting the kernel ends the training with a checkpoint;
// running the cell again goes on from there.

// %% tags=["key-figure"]
const { steps } = lab.simclrSteps(settings, train.count);
const knnOptions = { neighbors: experiment.neighbors, classes: patches.classNames.length };
const chart = lab.liveChart<lab.TrainingRow>((rows) =>
  lab.trainingChart(rows, {
    title: `SimCLR, ResNet-${settings.depth}, ${train.count} patches`,
    totalSteps: steps,
    lossTitle: 'NT-Xent loss',
    equalViewsLoss: Math.log(2 * settings.batchSize - 1),
    chanceAccuracy: chance,
  }),
);
const pretrained = await lab
  .pretrainSimclr({
    settings,
    patches: train,
    checkpoint: {
      folder: run.checkpoints,
      everySteps: experiment.checkpointEvery,
      identity: run.identity.hash,
    },
    evaluate: {
      everySteps: experiment.evaluateEvery,
      run: async (backbone) => {
        const { accuracy } = await lab.onlineKnn({ bank, queries: heldOut }, backbone, knnOptions);
        return { knnAccuracy: accuracy };
      },
    },
    onEvent: async (event) => {
      if (event.kind === 'resumed') console.log(`${event.step} of ${steps} steps were done before`);
      await run.emit({ ...event });
      await chart.add(event);
    },
    signal: lab.interruptSignal(),
  })
  .finally(() => chart.finish());
await chart.finish(pretrained.history);

// %% [markdown]
// ## What was learned
//
// Each held-out patch gets the class of its nearest neighbors among the training patches, by cosine similarity of the
// features. Two comparisons keep the number honest. The same network before training shows what training added. Color
// alone is the bar to pass: at the slides' own pixels it is near chance, but patches as small as the network's mix the
// colors of what lies close together, and so a histogram tells a little of structure too. The intervals resample slides;
// with so few of them they are rather too narrow than too wide.

// %%
const untrained = lab.randomBackbone({ settings });
const contenders: Record<string, (set: lab.PatchSet) => lab.Features | Promise<lab.Features>> = {
  'color histogram': (set) => lab.colorHistogramFeatures(set),
  'random initialization': (set) =>
    lab.extractFeatures(set, untrained.features, { signal: lab.interruptSignal() }),
  'SimCLR pretrained': (set) =>
    lab.extractFeatures(set, pretrained.features, { signal: lab.interruptSignal() }),
};
const results: (lab.IntervalRow & { method: string; correct: boolean[] })[] = [];
for (const [name, featuresOf] of Object.entries(contenders)) {
  const [known, asked] = [await featuresOf(bank), await featuresOf(heldOut)];
  const knn = await lab.knnClassify(known, bank.labels, asked, heldOut.labels, knnOptions);
  const interval = lab.clusterBootstrapInterval(knn.correct, heldOut.slides, {
    key: lab.key(seed).fold('interval'),
  });
  results.push({ name, value: knn.accuracy, ...interval, correct: knn.correct });
}
const comparison = lab.intervalChart(results, {
  title: 'kNN accuracy on held-out synthetic slides',
  subtitle: `${experiment.neighbors} neighbors, 95 % intervals over slides`,
  valueTitle: 'accuracy',
  chance,
});
await lab.showChart(comparison.spec, { alt: comparison.alt, save: figure('knn.png') });

// %%
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const frame = await lab.resultsFrame(results.map(({ correct: _, ...row }) => row));
await lab.showTable(frame, {
  columns: { name: 'Features', value: 'kNN accuracy', low: '95 % interval', method: 'Method' },
  format: {
    value: percent,
    low: (low: number, { high }: { high: number }) => `${percent(low)} to ${percent(high)}`,
  },
  save: join(run.folder, 'knn.csv'),
});

// %%
const simclr = results.at(-1)!;
for (const other of results.slice(0, -1).reverse()) {
  const gain = lab.pairedDifferenceInterval(other.correct, simclr.correct, heldOut.slides, {
    key: lab.key(seed).fold('difference'),
  });
  const verdict = gain.low > 0 ? 'better than' : gain.high < 0 ? 'worse than' : 'not told apart from';
  const [points, low, high] = [simclr.value - other.value, gain.low, gain.high].map((share) =>
    (100 * share).toFixed(1),
  );
  console.log(
    `${simclr.name} is ${verdict} ${other.name}: ${points} points, 95 % interval ${low} to ${high}.`,
  );
}

// %% [markdown]
// ## A map of the features
//
// UMAP puts patches with similar features beside each other; distances between far groups mean nothing. The patches of
// the real slide, which training has seen, have no label: where they lie says what the network takes them for, not what
// they are.

// %%
const realPatches = Array.from(patches.slides.keys()).filter((patch) => !patches.synthetic[patch]);
const mapped = lab.selectPatches(patches, [...split.heldOut, ...realPatches]);
const features = await lab.extractFeatures(mapped, pretrained.features, { signal: lab.interruptSignal() });
const places = await lab.embeddingMap(features, lab.key(seed).fold('map'), {
  minDistance: 0.4,
  signal: lab.interruptSignal(),
});
const map = lab.embeddingChart(
  mapped.slides.map((id, patch) => ({
    x: places[2 * patch] ?? 0,
    y: places[2 * patch + 1] ?? 0,
    kind: patches.classNames[mapped.labels[patch] ?? -1] ?? `${real.id} (real, trained on)`,
    slide: id,
  })),
  {
    title: 'Held-out synthetic patches and the real slide',
    subtitle: 'UMAP of the pretrained features',
    emphasis: `${real.id} (real, trained on)`,
  },
);
await lab.showChart(map.spec, { alt: map.alt, save: figure('map.png') });

// %% [markdown]
// ## What is kept
//
// The backbone goes to a safetensors file with torchvision's names. The key numbers go to the gallery, and the provenance
// ties them to the code, the data and the machine that made them.

// %%
const weights = join(run.folder, 'backbone.safetensors');
await lab.writeSafetensors(weights, lab.toTorch(pretrained.model), {
  method: 'simclr',
  run: run.identity.hash,
});
await run.saveMetrics(
  [...results].reverse().map(({ name, value, low, high, method }) => ({
    name: `kNN accuracy, ${name}`,
    value: 100 * value,
    interval: [100 * low, 100 * high] as const,
    unit: '%',
    about: `${heldOut.count} patches of held-out synthetic slides; ${method}`,
  })),
);
const splitHash = lab.sha256(lab.canonicalJson([split.trainSlides, split.heldOutSlides]));
const provenance = await lab.recordProvenance(run, {
  seed,
  device: lab.describeDevice(),
  data: patches.sources.map(lab.dataFacts),
  splits: { 'train and held-out slides': splitHash },
  weights: { 'backbone.safetensors': await lab.digestOfFile(weights) },
});
await lab.showProvenance(provenance);
