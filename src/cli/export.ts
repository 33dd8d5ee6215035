import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { digestOfFile, writeFileAtomic } from '../base/index.js';
import { isFineTuning, isPretraining } from '../experiments/index.js';
import { modelCard } from '../report/index.js';
import type { Metric } from '../runs/index.js';
import { fineTunedExport } from './export-fine-tuned.js';
import { onnxForm } from './export-onnx.js';
import { pretrainedExport } from './export-pretrained.js';
import { savedModelForm } from './export-savedmodel.js';
import { timmForm } from './export-timm.js';
import { torchvisionForm } from './export-torchvision.js';
import type { Exported, ExportForm } from './exported-model.js';
import { type FinishedRun, readFinishedRun, readOfRun, requireUnchanged } from './finished-run.js';
import { interruptible, parseOptions, wholeNumber } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab export RUN --to FORM --out FOLDER

Exports a model of a finished run (RUN is its folder), with a model card: of a pretraining run the backbone, of a fine-tuning
run the network with its classifier or segmentation head, of the first fold and seed:

  --to timm         model.safetensors and config.json: timm.create_model('local-dir:FOLDER', pretrained=True)
  --to torchvision  model.safetensors, for torchvision's network of the same name
  --to savedmodel   a TensorFlow SavedModel that computes the features or class probabilities of a batch of normalized
                    images
  --to onnx         the same as model.onnx, converted by tf2onnx
  --out FOLDER      an empty or new folder
  --arm NAME        of a fine-tuning run with several arms, which
  --batch N         batch size of a SavedModel or of ONNX (1)
  --python PYTHON   for ONNX: a Python with tf2onnx and tensorflow (python3)
`;

const forms: Readonly<Record<string, ExportForm>> = {
  timm: timmForm,
  torchvision: torchvisionForm,
  savedmodel: savedModelForm,
  onnx: onnxForm,
};

/**
 * The command `pathlab export`.
 *
 * @param args what follows `export` on the command line
 * @returns the exit code
 * @throws UsageError with a message for the user
 */
export async function exportRun(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('export', {
    args: [...args],
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      out: { type: 'string' },
      arm: { type: 'string' },
      batch: { type: 'string' },
      python: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  const { to = '', out } = values;
  if (where === undefined || others.length > 0)
    throw new UsageError('export takes one RUN (see pathlab export --help)');
  if (!Object.hasOwn(forms, to)) {
    throw new UsageError(`--to takes ${Object.keys(forms).join(', ')}; got ${to === '' ? 'none' : `"${to}"`}`);
  }
  if (out === undefined) throw new UsageError('export takes --out FOLDER (see pathlab export --help)');
  const folder = resolve(out);
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new UsageError(`${out} is not empty`);
  const batch = wholeNumber('batch', values.batch) ?? 1;
  const run = readFinishedRun(where);
  // What other programs run is made of TensorFlow's own ops; read when TensorFlow loads.
  if (to === 'savedmodel' || to === 'onnx') process.env.PATHLAB_CUSTOM_OPS = 'off';
  return interruptible('export', async () => {
    const exported = await exportedOf(run, values.arm);
    const form = forms[to]!;
    await form.write(exported.model, folder, { batch, run: run.runHash, python: values.python });
    const digests = form.files.map(async (name) => [name, await digestOfFile(join(folder, name))] as const);
    const card = modelCard({
      ...{ run, ...exported, library: form.library, loading: form.loading(exported.model, folder) },
      metrics: readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json').metrics,
      sha256: Object.fromEntries(await Promise.all(digests)),
    });
    await writeFileAtomic(join(folder, 'README.md'), card);
    console.log(`${folder}: ${[...form.files, 'README.md'].join(', ')}`);
    return 0;
  });
}

async function exportedOf(run: FinishedRun, arm: string | undefined): Promise<Exported> {
  await requireUnchanged(run, 'parameters.json', 'metrics.json');
  if (isFineTuning(run.notebook)) return fineTunedExport(run, arm);
  if (!isPretraining(run.notebook)) {
    throw new UsageError(`${run.folder} is a run of ${run.notebook}, which trains no network`);
  }
  if (arm !== undefined) throw new UsageError(`--arm is for fine-tuning runs; ${run.folder} is one of ${run.notebook}`);
  return pretrainedExport(run);
}
