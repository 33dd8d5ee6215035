import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { maskDataset } from '../finetune/mask-dataset.js';
import { patientShards } from './patient-shards.js';

const top = mkdtempSync(join(tmpdir(), 'finetune-resume-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

/** Where an experiment is stopped: by a kill that the process does not see, or by an interrupt, after which it goes on itself. */
interface Stop {
  how: 'kill' | 'interrupt';
  /** Fine-tuning, kind and step of an event. */
  at: string;
}

/** Runs an experiment in each folder, with the stops that are given for it and then to its end. */
const program = `
import { writeSync } from 'node:fs';
import { fineTuneExperiment, fineTuningArms, fineTuningData, runFineTunings } from './dist/experiments/index.js';
import { openRun } from './dist/runs/index.js';
const { notebook, data, runs } = JSON.parse(process.argv[1]);
const parameters = { scale: 'smoke', data, init: 'random', batchSize: 2, steps: 3, folds: 2, seed: 1 };
const experiment = { ...fineTuneExperiment(notebook, parameters), checkpointEvery: 1 };
const opened = await fineTuningData(experiment);
const { arms } = await fineTuningArms(experiment, opened);
const stopped = runs.flatMap(({ out, stops }) => [...stops, undefined].map((stop) => ({ out, stop })));
for (const { out, stop } of stopped) {
  const run = await openRun({ notebook, parameters, out });
  const controller = new AbortController();
  const onEvent = ({ name }, { kind, step }) => {
    const at = [name, kind, step].join(' ');
    writeSync(1, at + '\\n');
    if (at !== stop?.at) return;
    if (stop.how === 'kill') process.kill(process.pid, 'SIGKILL');
    controller.abort();
  };
  await runFineTunings(experiment, opened, arms, { run, onEvent, signal: controller.signal }).catch((error) => {
    if (error.name !== 'InterruptedError') throw error;
  });
}`;

/** @returns the events, and how it ended */
async function runProcess(notebook: string, data: string, stops: Readonly<Record<string, readonly Stop[]>>) {
  const runs = Object.entries(stops).map(([out, stops]) => ({ out: join(top, out), stops }));
  const options = JSON.stringify({ notebook, data, runs });
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, options], { cwd: projectRoot });
  let [events, errors] = ['', ''];
  child.stdout.on('data', (text) => (events += text));
  child.stderr.on('data', (text) => (errors += text));
  const [code, signal] = await once(child, 'close');
  expect(code === 0 || signal === 'SIGKILL', errors).toBe(true);
  return { events: events.trim().split('\n'), signal };
}

/** Weights and predictions. */
const kept = (out: string) =>
  (readdirSync(join(top, out), { recursive: true }) as string[]).filter((file) => file.endsWith('.safetensors')).sort();
const [first, second] = ['random-fold-1-seed-1', 'random-fold-2-seed-1'];

it.concurrent.each([
  ['20-finetune-ptcga200', async () => patientShards(join(top, 'classes'), 16)],
  ['30-segment-segpanda200', async () => (await maskDataset(9)).folder],
])(
  '%s ends with the same files, however it is stopped in trainings and between them',
  async (notebook, make) => {
    const data = await make();
    const [whole, broken] = [`${notebook}-whole`, `${notebook}-broken`];
    const killedWithin = await runProcess(notebook, data, { [broken]: [{ how: 'kill', at: `${first} step 2` }] });
    const killedBetween = await runProcess(notebook, data, {
      [broken]: [{ how: 'kill', at: `${second} evaluation 0` }],
    });
    expect([killedWithin.signal, killedBetween.signal]).toEqual(['SIGKILL', 'SIGKILL']);
    expect(killedBetween.events[0]).toBe(`${first} resumed 1`);
    const { events } = await runProcess(notebook, data, {
      [broken]: [
        { how: 'interrupt', at: `${first} kept 3` },
        { how: 'interrupt', at: `${second} step 2` },
      ],
      [whole]: [],
    });
    // The first interrupt may also fall into the evaluation before the second training's first step.
    expect(events.filter((event) => / (kept|interrupted|resumed) [1-9]/.test(event))).toEqual([
      `${first} kept 3`,
      ...[`${first} kept 3`, `${second} interrupted 2`],
      ...[`${first} kept 3`, `${second} resumed 2`],
    ]);
    expect(kept(whole)).toEqual([
      ...['backbone', 'head'].map((part) => `models/${first}/${part}.safetensors`),
      ...[first, second].map((name) => `predictions/${name}.safetensors`),
    ]);
    expect(kept(broken)).toEqual(kept(whole));
    for (const file of kept(whole)) {
      expect(readFileSync(join(top, broken, file)).equals(readFileSync(join(top, whole, file))), file).toBe(true);
    }
  },
  300_000,
);
