// What calling an op costs: steps of tiny ops, run eagerly and compiled in turns. Here eager tfjs is the peer. The chain
// is the main row; LARS shows what it costs beside the ops to hand over 301 tensors and to take 200, either way.

import { key } from '../dist/base/index.js';
import { compile, describeDevice, randomNormal, tf } from '../dist/engine/index.js';
import { lars } from '../dist/training/index.js';
import { report } from './report.mjs';
import { median } from './worker.mjs';

const rounds = 7;
const calls = 10;

/** Ops one after the other, each needing the one before. */
function chain(x, y) {
  let z = x;
  for (let i = 0; i < 150; i++) z = z.mul(y).sub(x).tanh();
  return { z };
}

const optimizer = lars();
const root = key('engine-overhead');
const parameters = Object.fromEntries(
  Array.from({ length: 100 }, (_, i) => [`layer${i}.weight`, randomNormal(root.fold(i), [4, 4])]),
);
const chained = [chain, [randomNormal(root, [8]), randomNormal(root.fold('y'), [8])]];
const updated = [
  (weights, gradients, state, rate) => optimizer.update(weights, gradients, state, { learningRate: rate }),
  [parameters, parameters, optimizer.initialize(parameters), tf.scalar(1e-3)],
];
const steps = [
  { name: 'chain of 450 ops on 8 numbers', work: chained, isMain: true },
  { name: 'the same, compiled with XLA', work: chained, options: { xla: true } },
  { name: 'LARS on 100 tensors of 16 numbers', work: updated },
];

async function timed(step, inputs) {
  const began = performance.now();
  for (let call = 0; call < calls; call++) {
    const output = await step(...inputs);
    const [last] = Object.values(output).slice(-1);
    await (last instanceof tf.Tensor ? last : Object.values(last)[0]).data();
    tf.dispose(output);
  }
  return (performance.now() - began) / calls;
}

const rows = [];
const ratios = {};
for (const { name, work, isMain, options } of steps) {
  const [step, inputs] = work;
  const compiled = compile(step, { ...options, name: step.name || 'update' });
  const eager = (...given) => tf.tidy(() => step(...given));
  await timed(compiled, inputs);
  await timed(eager, inputs);
  const times = { eager: [], compiled: [] };
  for (let round = 0; round < rounds; round++) {
    times.eager.push(await timed(eager, inputs));
    times.compiled.push(await timed(compiled, inputs));
  }
  compiled.dispose();
  const [slow, fast] = [median(times.eager), median(times.compiled)];
  if (isMain) ratios[name] = slow / fast;
  rows.push({ step: name, eager: 1000 * slow, compiled: 1000 * fast, times: (slow / fast).toFixed(1) });
}
const device = describeDevice();
report('engine-overhead', {
  work: `steps of tiny ops on ${device.name}, TensorFlow ${device.tensorflow}; medians of ${rounds} rounds in turns`,
  columns: { step: 'step', eager: 'eager, us', compiled: 'compiled, us', times: 'times' },
  rows,
  ratios,
  quick: false,
});
