// npm run campaign -- onnx: what `pathlab export --to onnx` writes, run by onnxruntime, gives the features that pathlab gives.
// One network of each family, with random weights.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCampaignResult } from './campaign-result.mjs';
import { peerPython } from './peer-environment.mjs';

// As the command: what other programs run is made of TensorFlow's own ops.
process.env.PATHLAB_CUSTOM_OPS = 'off';
const { key } = await import('../dist/base/index.js');
const { onnxForm } = await import('../dist/cli/export-onnx.js');
const { disposeTensors, randomUniform, tf } = await import('../dist/engine/index.js');
const { backbone } = await import('../dist/models/index.js');

const names = ['resnet18', 'resnetv2_50x1_bit', 'inception_v3', 'efficientnet_lite0', 'vit_small_patch16_224'];
const [batch, bound] = [2, 1e-4];
const python = peerPython('onnx');
const session = fileURLToPath(new URL('peers/onnx_session.py', import.meta.url));
const rows = [];
for (const name of names) {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-'));
  try {
    const network = backbone(name);
    const model = network.initialize(key('onnx').fold(name));
    const size = network.inputSize;
    const view = { size, crop: 1, colors: network.colors };
    await onnxForm.write({ backbone: network, model, view }, folder, { batch, run: 'campaign', python });
    const images = randomUniform(key('images'), [batch, size, size, 3], -1, 1);
    const ours = tf.tidy(() => network.apply(model, images, { training: false }).features.dataSync().slice());
    const { status, stdout } = spawnSync(python, [session, join(folder, 'model.onnx')], {
      ...{ input: Buffer.from(images.dataSync().buffer), maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'inherit'] },
    });
    if (status !== 0) throw new Error(`onnxruntime ended with ${status}`);
    const theirs = new Float32Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.length));
    const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    const difference = norm(ours.map((value, place) => value - theirs[place])) / norm(ours);
    rows.push({ name, difference, holds: theirs.length === ours.length && difference < bound });
    console.log(`${name.padEnd(24)} differs by ${difference.toExponential(1)}`);
    disposeTensors(model.parameters, model.state);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const held = rows.filter(({ holds }) => holds).length;
writeCampaignResult('onnx', [], { bound, networks: rows });
console.log(`onnx: value ${held} of ${rows.length} networks hold`);
process.exitCode = held === rows.length ? 0 : 1;
