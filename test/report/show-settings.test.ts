import { afterEach, expect, test, vi } from 'vitest';
import { pretrainExperiment } from '../../src/experiments/index.js';
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
