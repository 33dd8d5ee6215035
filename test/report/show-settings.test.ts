import { afterEach, expect, test, vi } from 'vitest';
import { fineTuneExperiment, pretrainExperiment } from '../../src/experiments/index.js';
import { showSettings } from '../../src/report/index.js';

afterEach(() => {
  vi.restoreAllMocks();
});

test("a method's momentum and its optimizer's are two rows", async () => {
  const said: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => said.push(text));
  await showSettings(pretrainExperiment('13-pretrain-byol', { scale: 'demo' }));
  const rows = said.join('\n').split('\n');
  expect(rows.find((row) => row.startsWith('momentum'))).toMatch(/^momentum +0\.97 +0\.97$/);
  expect(rows.find((row) => row.startsWith('optimizer, momentum'))).toMatch(/^optimizer, momentum +0\.9 +0\.9$/);
});

test("a protocol and its settings stand beside the paper's", async () => {
  const said: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => said.push(text));
  const asked = { protocol: 'bit', loss: 'smoothed', testTime: 'dihedral' } as const;
  await showSettings(fineTuneExperiment('20-finetune-ptcga200', { scale: 'paper', ...asked }));
  const rows = said.join('\n').split('\n');
  for (const row of [
    ...[
      /^protocol +bit +paper$/,
      /^optimizer +sgd +adamw$/,
      /^labelSmoothing +0\.1 +0$/,
      /^milestones +0\.4, 0\.6, 0\.8 +–$/,
    ],
    ...[/^dropout +0 +0\.4$/, /^test time +dihedral +none$/],
  ]) {
    expect(
      rows.some((each) => row.test(each)),
      String(row),
    ).toBe(true);
  }
});
