import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Kernel, kernelName, ofType, projectRoot, streamText } from '../kernel-setup/kernel-client.js';

interface Cell {
  cell_type: string;
  source: string | string[];
}

const notebook = JSON.parse(readFileSync(join(projectRoot, 'notebooks', '11-pretrain-simclr.ipynb'), 'utf8'));
const cells = (notebook.cells as Cell[])
  .filter(({ cell_type: type }) => type === 'code')
  .map(({ source }) => [source].flat().join(''));
const cellWith = (text: string) => cells.find((source) => source.includes(text))!;

let kernel: Kernel;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-edited-'));
  kernel = await Kernel.start({ name: kernelName, folder: join(projectRoot, 'notebooks') });
});
afterAll(async () => {
  await kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('an edited cell cannot take the checkpoint of the notebook, and marks the run that it is in', async () => {
  const run = async (source: string) => {
    const { reply, outputs } = await kernel.run(source);
    return { status: reply.status, error: ofType(outputs, 'error')[0]?.content.evalue, said: streamText(outputs) };
  };
  const parameters = cellWith('let scale')
    .replace("= 'demo'", "= 'smoke'")
    .replace('let out: string | undefined;', `let out: string | undefined = ${JSON.stringify(join(folder, 'run'))};`);
  for (const source of [parameters, cellWith('openRun'), cellWith('openPretrainingData'), cellWith('lab.pretrain(')]) {
    expect(await run(source)).toMatchObject({ status: 'ok' });
  }
  // As it is, it goes on from its checkpoint.
  expect((await run(cellWith('lab.pretrain('))).said).toContain('32 steps were done before');

  const edited = cellWith('openPretrainingData').replace(
    'experiment, run)',
    '{ ...experiment, settings: { ...settings, seed: 2 } }, run)',
  );
  expect(edited).not.toBe(cellWith('openPretrainingData'));
  expect(await run(edited)).toMatchObject({ status: 'ok' });
  const refused = await run(cellWith('lab.pretrain('));
  expect(refused.status).toBe('error');
  expect(refused.error).toMatch(/step-00000032.*differs in/);
  expect(refused.error).toMatch(/batches/);
  expect(refused.error).toMatch(
    /executed cells \(the notebook's there, 1 not of the notebook's file, as .*restart the kernel.* here\)/,
  );

  expect(await run('await run.keep({ seed, device: {}, data: [], metrics: [] }); void 0;')).toMatchObject({
    status: 'ok',
  });
  const provenance = JSON.parse(readFileSync(join(folder, 'run', 'provenance.json'), 'utf8')) as { edited: string[] };
  expect(provenance.edited).toContain(edited.trim());
  expect((await run(cellWith('lab.pretrain('))).error).toMatch(/a finished run is not changed/);
}, 180_000);
