import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { costOfTraining } from '../../src/experiments/index.js';
import { energyMeter } from '../../src/training/energy-meter.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'energy-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const count = (name: string, microjoules: number, file = 'energy_uj') => {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'name'), `package-${name.at(-1)}\n`);
  writeFileSync(join(folder, name, file), `${microjoules}\n`);
};

it('adds what all packages needed since the last call, also where a counter began again', () => {
  for (const name of ['intel-rapl:0', 'intel-rapl:1']) count(name, 10e6, 'max_energy_range_uj');
  count('intel-rapl:0', 1e6);
  count('intel-rapl:1', 9e6);
  // A part of package 0.
  count('intel-rapl:0:0', 5e6);
  const joules = energyMeter(folder)!;
  expect(joules()).toBe(0);
  count('intel-rapl:0', 3.5e6);
  count('intel-rapl:1', 2e6);
  expect(joules()).toBe(2.5 + 3);
  expect(joules()).toBe(0);
});

it('leaves out counters that are of no package', () => {
  for (const name of ['intel-rapl:0', 'intel-rapl:1']) {
    count(name, 10e6, 'max_energy_range_uj');
    count(name, 1e6);
  }
  const platform = () => writeFileSync(join(folder, 'intel-rapl:1', 'name'), 'psys\n');
  platform();
  const joules = energyMeter(folder)!;
  count('intel-rapl:0', 2e6);
  count('intel-rapl:1', 9e6);
  expect(joules()).toBe(1);
  rmSync(join(folder, 'intel-rapl:0'), { recursive: true });
  platform();
  expect(energyMeter(folder)).toBeUndefined();
});

it.each(['missing', 'empty'])('knows nothing from a counter that is %s later on', (how) => {
  count('intel-rapl:0', 10e6, 'max_energy_range_uj');
  count('intel-rapl:0', 1e6);
  const joules = energyMeter(folder)!;
  const path = join(folder, 'intel-rapl:0', 'energy_uj');
  if (how === 'missing') rmSync(path);
  else writeFileSync(path, '');
  expect(joules()).toBeUndefined();
  count('intel-rapl:0', 5e6);
  expect(joules()).toBeUndefined();
});

it('does not measure without counters', () => {
  expect(energyMeter(folder)).toBeUndefined();
  expect(energyMeter(join(folder, 'nothing'))).toBeUndefined();
  count('intel-rapl:0', 1);
  expect(energyMeter(folder)).toBeUndefined();
});

it('is a part of the cost of a training, which counts no pauses', async () => {
  const log = join(folder, 'events.jsonl');
  const at = (second: number, event: object) =>
    `${JSON.stringify({ time: new Date(1000 * second).toISOString(), ...event })}\n`;
  const events = [
    at(0, { kind: 'opened' }),
    at(10, { kind: 'evaluation', step: 0, seconds: 2, memoryGibibytes: 1, joules: 20 }),
    at(11, { kind: 'step', step: 1, joules: 30 }),
    at(50, { kind: 'opened' }),
    at(60, { kind: 'resumed', step: 1 }),
    at(63, { kind: 'step', step: 2, joules: 40 }),
    at(65, { kind: 'evaluation', step: 2, seconds: 1.5, memoryGibibytes: 3, joules: 5 }),
  ];
  writeFileSync(log, events.join(''));
  const cost = { name: 'it', steps: 2, images: 16, seconds: 8, evaluationSeconds: 3.5, memoryGibibytes: 3 };
  expect(await costOfTraining(log, { name: 'it', batchSize: 8 })).toEqual({ ...cost, joules: 95 });
  writeFileSync(log, [...events, at(66, { kind: 'step', step: 3 })].join(''));
  expect(await costOfTraining(log, { name: 'it', batchSize: 8 })).toMatchObject({ steps: 3, joules: null });
});
