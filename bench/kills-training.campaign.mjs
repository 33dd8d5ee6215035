// npm run campaign -- kills-training [SEED [NOTEBOOK...]]: notebooks' trainings at smoke scale, by default each pretraining
// method's, killed ten times at random moments and continued each time; the weights at the end, of the network, its copies,
// heads and queues, must equal those of an undisturbed run, byte for byte, and so must the logs' steps. Of a fine-tuning
// notebook they are those of the models and of the predictions.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { key } from '../dist/base/index.js';
import { readEvents } from '../dist/runs/index.js';
import { writeCampaignResult } from './campaign-result.mjs';

const [seed = 'kills-training', ...named] = process.argv.slice(2);
const program = fileURLToPath(new URL('demo-run.mjs', import.meta.url));
const kills = 10;
const steps = 120;
const pretraining = [
  '10-pretrain-supervised',
  '11-pretrain-simclr',
  '12-pretrain-mocov2',
  '13-pretrain-byol',
  '14-pretrain-dino',
  '15-pretrain-mae',
];
const notebooks = named.length > 0 ? named : pretraining;

/**
 * Trains until the end, or until it is killed so many milliseconds after its first event.
 *
 * @returns {Promise<{ killed: boolean, first?: object, seconds: number }>} the first event, and the seconds from it on
 */
async function train(notebook, run, killAfter) {
  const options = { notebook, scale: 'smoke', steps, run, checkpointEvery: 5 };
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, error, began] = ['', '', 0];
  child.stderr.on('data', (text) => (error += text));
  child.stdout.on('data', (text) => {
    out += text;
    if (began) return;
    began = Date.now();
    if (killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`${notebook} ended with ${code ?? signal}: ${error}`);
  const [line] = out.split('\n');
  return { killed: signal === 'SIGKILL', first: line && JSON.parse(line), seconds: (Date.now() - began) / 1000 };
}

const filesOf = (run, name) =>
  readdirSync(run, { recursive: true })
    .filter((file) => file.endsWith(name))
    .sort();

async function loggedSteps(run) {
  const logged = [];
  for (const log of filesOf(run, 'events.jsonl')) {
    for await (const { step, loss } of readEvents(join(run, log), { kind: 'step' })) logged.push([log, step, loss]);
  }
  return JSON.stringify(logged);
}

const results = {};
let well = 0;
for (const notebook of notebooks) {
  const top = mkdtempSync(join(tmpdir(), 'kills-training-'));
  const [whole, broken] = [join(top, 'whole'), join(top, 'broken')];
  try {
    const { seconds } = await train(notebook, whole);
    const random = key(seed).fold(notebook).generator();
    const rows = [];
    while (rows.length < kills) {
      // Ten kills of a sixth of the training each at most, so that most fall into it and not behind its end.
      const milliseconds = (random.uniform() * (1000 * seconds)) / 6;
      const { killed, first } = await train(notebook, broken, milliseconds);
      rows.push({ milliseconds: Math.round(milliseconds), killed, from: first });
    }
    await train(notebook, broken);
    const weights = filesOf(whole, '.safetensors').filter((file) => !file.startsWith('checkpoints'));
    if (weights.length === 0) throw new Error(`${notebook} has left no weights`);
    const same = {
      weights: weights.every((file) => readFileSync(join(whole, file)).equals(readFileSync(join(broken, file)))),
      log: (await loggedSteps(whole)) === (await loggedSteps(broken)),
    };
    results[notebook] = { same, kills: rows };
    const done = rows.filter(({ killed }) => killed).length;
    if (same.weights && same.log && done === kills) well++;
    console.log(
      `${notebook}: killed ${done} of ${kills} times, continued from steps ${rows.map(({ from }) => from?.step ?? '-').join(', ')}; ` +
        `weights ${same.weights ? 'the same' : 'DIFFER'}, log ${same.log ? 'the same' : 'DIFFERS'}`,
    );
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}
writeCampaignResult('kills-training', [seed, ...named], {
  about: `${steps} steps at smoke scale, a checkpoint every 5; \`from\` is the first event after each start`,
  results,
});
console.log(`kills-training: value ${well} of ${notebooks.length} notebooks end with the bits of the undisturbed run`);
process.exitCode = well === notebooks.length ? 0 : 1;
