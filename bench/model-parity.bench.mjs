// Every backbone with weights that timm or torchvision made, against that network in float64: features in evaluation and
// training mode, the running statistics that training leaves, and the gradients of all parameters, at two input sizes. Fails
// where features or statistics differ by more than 1e-4, relative to a tensor's norm, or a gradient by more than 1e-3. In
// float32 some relus fall on their other side, which moves gradients by as much as that, PyTorch's own too; so a gradient may
// differ by three times what PyTorch's do in float32, which stands beside it. test/models/backbones-float64.test.ts compares
// gradients in float64, to 1e-5.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, describeDevice, gradients, readSafetensors, tf } from '../dist/engine/index.js';
import { backbone, backboneNames, fromTorch, toTorch } from '../dist/models/index.js';
import { peerPython } from './peer-environment.mjs';
import { reportValue } from './report.mjs';

const bounds = { inference: 1e-4, training: 1e-4, state: 1e-4, gradient: 1e-3 };
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const names = wanted.length > 0 ? wanted : backboneNames;
const python = peerPython('models');
const peer = fileURLToPath(new URL('peers/torch_parity.py', import.meta.url));

const normOf = (tensor) => Math.sqrt(tensor.dataSync().reduce((sum, value) => sum + value ** 2, 0));

/** The norm of the difference, over that of what is expected, or `floor` if it is less. */
function relativeError(ours, theirs, floor = 0) {
  const [mine, expected] = [ours.dataSync(), theirs.dataSync()];
  let [difference, norm] = [0, 0];
  for (let place = 0; place < expected.length; place++) {
    difference += (mine[place] - expected[place]) ** 2;
    norm += expected[place] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), floor);
}

function worst(ours, theirs) {
  const missing = Object.keys(theirs).find((name) => !ours[name]);
  if (missing || Object.keys(ours).length !== Object.keys(theirs).length) {
    throw new Error(`the tensors differ in their names${missing ? `: ours have no ${missing}` : ''}`);
  }
  // What is 0 but for rounding has no size of its own.
  const floor = 1e-4 * Math.max(0, ...Object.values(theirs).map(normOf));
  return Object.entries(theirs).reduce(
    (found, [name, tensor]) => {
      const error = relativeError(ours[name], tensor, floor);
      return error > found.error || Number.isNaN(error) ? { name, error } : found;
    },
    { name: '', error: 0 },
  );
}

const part = (tensors, prefix) =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );

async function compare(network, model, found) {
  const { images, pattern } = found;
  const inference = compile((model, images) => network.apply(model, images, { training: false }).features);
  const training = compile((model, images, pattern) =>
    gradients(model.parameters, (parameters) => {
      const { features, state } = network.apply({ ...model, parameters }, images, { training: true });
      return { loss: features.sub(pattern).square().mean(), extra: { features, ...state } };
    }),
  );
  const features = await inference(model, images);
  const { gradients: slopes, extra } = await training(model, images, pattern);
  inference.dispose();
  training.dispose();
  const { features: trained, ...state } = extra;
  return {
    inference: { error: relativeError(features, found.inference) },
    training: { error: relativeError(trained, found.training) },
    state: worst(state, part(found, 'state.')),
    gradient: worst(toTorch({ parameters: slopes, state: {} }), part(found, 'gradient.')),
  };
}

const rows = [];
for (const name of names) {
  const network = backbone(name);
  // Maps of the last stage must hold several px, or batch norm divides by the spread of a few values, and float32 is not
  // enough for any implementation. Networks for large images reduce theirs more.
  const sides = [network.inputSize, network.inputSize > 224 ? 192 : 128];
  const batch = 4;
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-parity-'));
  const row = { name, inference: 0, training: 0, state: 0, gradient: 0, own: 0, where: '' };
  try {
    const { status } = spawnSync(python, [peer, name, folder, String(batch), ...sides.map(String)], {
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error(`the peer failed on ${name}`);
    tf.engine().startScope();
    const model = fromTorch((await readSafetensors(join(folder, 'weights.safetensors'))).tensors);
    for (const side of sides) {
      const { tensors, metadata } = await readSafetensors(join(folder, `${side}.safetensors`));
      row.own = Math.max(row.own, Number(metadata.own));
      const errors = await compare(network, model, tensors);
      for (const [what, { error, name: tensor }] of Object.entries(errors)) {
        if (what === 'gradient' && error > row.gradient) row.where = `${tensor}, ${side} px`;
        row[what] = Math.max(row[what], error);
      }
    }
    tf.engine().endScope();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const allowed = { ...bounds, gradient: Math.max(bounds.gradient, 3 * row.own) };
  row.agrees = Object.entries(allowed).every(([what, bound]) => row[what] <= bound);
  rows.push({ ...row, sides });
  console.error(`${name}: ${row.agrees ? 'agrees' : `over the bound (${row.where})`}`);
}

const agreeing = rows.filter(({ agrees }) => agrees).length;
const shown = rows.map((row) => ({
  ...row,
  sides: row.sides.join(' and '),
  ...Object.fromEntries([...Object.keys(bounds), 'own'].map((what) => [what, row[what].toExponential(1)])),
  agrees: row.agrees ? 'yes' : 'no',
}));
const { tensorflow } = describeDevice();
reportValue('model-parity', {
  work: `differences from timm and torchvision in float64, relative; TensorFlow ${tensorflow}`,
  columns: {
    name: 'backbone',
    sides: 'px',
    inference: 'evaluation',
    training: 'training',
    state: 'statistics',
    gradient: 'worst gradient',
    own: "PyTorch's in float32",
    where: 'which',
    agrees: 'within bounds',
  },
  rows: shown,
  bounds,
  value: agreeing,
  unit: `of ${rows.length} backbones agree`,
  quick: wanted.length > 0,
});
if (agreeing < rows.length) process.exitCode = 1;
