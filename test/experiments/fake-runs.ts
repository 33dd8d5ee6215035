import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfFile, sha256 } from '../../src/base/index.js';
import { disposeTensors, tf, writeSafetensors } from '../../src/engine/index.js';
import { splitName } from '../../src/experiments/index.js';

export interface FakeRun {
  notebook?: string;
  scale?: string;
  parameters?: object;
  /** By arm, the share of cases that are right; several numbers are fine-tuning seeds from `seed`. */
  arms?: Record<string, readonly number[]>;
  /** Of an arm: the pretraining run that it began with. */
  past?: Record<string, { runHash: string; scale?: string }>;
  /** Of an arm: what stands for its file, by default its name. */
  fileOfArm?: Record<string, string>;
  patients?: number;
  labelled?: number;
  data?: string;
  split?: string;
  code?: string;
  edited?: string[];
  seed?: number;
  ended?: string;
  broken?: 'predictions' | 'metric';
}

const classNames = ['a', 'b', 'c', 'd'];
const casesEach = 4;

/** Writes a finished run as notebooks 10 to 21 leave it, in seconds less than they take; its predictions follow from `arms`. */
export async function fakeRun(folder: string, of: FakeRun = {}): Promise<string> {
  const { notebook = '20-finetune-ptcga200', scale = 'demo', arms = {}, patients = 8, seed = 1 } = of;
  const { labelled = 20, data = 'd', split = 's', code = 'c', edited = [], ended = '2026-01-01T00:00:00Z' } = of;
  mkdirSync(join(folder, 'predictions'), { recursive: true });
  const json: Record<string, unknown> = {
    'parameters.json': { scale, seed, ...of.parameters },
    'metrics.json': { metrics: [{ name: 'kNN', value: of.broken === 'metric' ? null : 50 }] },
    'costs.json': [cost('pretraining')],
  };
  const names = ['parameters.json', 'metrics.json', 'costs.json'];
  if (!notebook.includes('pretrain')) {
    const trained = Object.entries(arms).flatMap(([arm, shares]) =>
      shares.map((share, place) => ({
        arm,
        share,
        fold: 0,
        seed: seed + place,
        name: `${arm}-${seed + place}`,
        start: startOf(arm, of),
      })),
    );
    const labels = Array.from({ length: patients * casesEach }, (_, place) => place % classNames.length);
    json['costs.json'] = trained.map(({ name }) => cost(name));
    json['fine-tunings.json'] = trained.map(({ share: _, ...each }) => each);
    json['test-cases.json'] = {
      ...{ unit: 'patients', classNames, labels, labelled, available: 20 },
      patientOf: labels.map((_, place) => Math.floor(place / casesEach)),
      sites: Array.from({ length: patients }, (_, patient) => (patient % 2 ? 'east' : 'west')),
    };
    for (const { name, share } of trained) {
      const rows = labels.flatMap((label, place) => rowOf(label, place, share));
      if (of.broken === 'predictions') rows[0] = Number.NaN;
      const probabilities = tf.tensor2d(rows, [labels.length, classNames.length]);
      await writeSafetensors(join(folder, 'predictions', `${name}.safetensors`), { probabilities });
      disposeTensors({ probabilities });
      names.push(`predictions/${name}.safetensors`);
    }
    names.push('fine-tunings.json', 'test-cases.json');
  }
  for (const [name, content] of Object.entries(json)) writeFileSync(join(folder, name), JSON.stringify(content));
  const files: Record<string, string> = {};
  for (const name of names) files[name] = await digestOfFile(join(folder, name));
  const runHash = sha256(JSON.stringify(of));
  writeFileSync(
    join(folder, 'provenance.json'),
    JSON.stringify({
      ...{ notebook, scale, seed, runHash, edited, files, ended, device: { name: 'a CPU' }, hashes: { 'src/': code } },
      ...{ data: [{ name: 'slides', sha256: sha256(data), synthetic: true }], splits: { [splitName]: split } },
    }),
  );
  return runHash;
}

/** A different case in a hundred is wrong for each place, so that arms differ patient by patient. */
function rowOf(label: number, place: number, share: number): number[] {
  const isRight = ((place * 37) % 100) / 100 < share;
  const said = isRight ? label : (label + 1) % classNames.length;
  return classNames.map((_, of) => (of === said ? 0.7 : 0.1));
}

const cost = (name: string) => ({
  ...{ name, steps: 10, images: 320, seconds: 4, evaluationSeconds: 1, memoryGibibytes: 1.5, joules: null },
});

function startOf(arm: string, { past = {}, fileOfArm = {} }: FakeRun) {
  const run = past[arm];
  const trainings = run
    ? [
        {
          data: [{ name: 'slides', sha256: 'p' }],
          splits: {},
          supervised: false,
          run: { notebook: '11-pretrain-simclr', scale: 'demo', ...run },
        },
      ]
    : arm === 'random'
      ? []
      : [null];
  // Without a past, weights of one arm are one file.
  const files = arm === 'random' ? {} : { 'backbone.safetensors': sha256(run?.runHash ?? fileOfArm[arm] ?? arm) };
  return {
    init: arm === 'random' ? 'random' : 'results/runs/it',
    files,
    trainings,
    pretrainedOn: [],
    labelsOf: [],
    ...(run && { pretrainingSeed: 1 }),
  };
}
