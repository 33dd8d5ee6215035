// SLURM's commands on this machine, for the test of the matrix under SLURM: `slurm-stub.mjs COMMAND ARGUMENTS ...`.
// The folder SLURM_STUB has the arguments of each job, its processes and its state.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const [command, ...args] = process.argv.slice(2);
const inState = (name) => join(process.env.SLURM_STUB, name);
const jobs = () => readdirSync(process.env.SLURM_STUB).flatMap((name) => /^(\d+)\.args$/.exec(name)?.[1] ?? []);
const codeOf = (id) => existsSync(inState(`${id}.code`)) && readFileSync(inState(`${id}.code`), 'utf8').trim();

function stateOf(id) {
  if (existsSync(inState(`${id}.cancelled`))) return 'CANCELLED';
  const code = codeOf(id);
  return code ? (code === '0' ? 'COMPLETED' : 'FAILED') : 'RUNNING';
}

/** Notes a job's arguments under the first number that is free, also where two are submitted at once. */
function takeNumber() {
  for (let number = 1; ; number++) {
    try {
      writeFileSync(inState(`${number}.args`), JSON.stringify(args), { flag: 'wx' });
      return String(number);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

const commands = {
  sbatch() {
    const id = takeNumber();
    const wrapped = args.find((arg) => arg.startsWith('--wrap=')).slice('--wrap='.length);
    const log = openSync(args[args.indexOf('--output') + 1].replace('%j', id), 'a');
    const child = spawn('bash', ['-c', `(${wrapped}); echo $? > "$SLURM_STUB/${id}.code"`], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, SLURM_JOB_ID: id },
    });
    writeFileSync(inState(`${id}.pid`), String(child.pid));
    child.unref();
    console.log(id);
  },
  srun() {
    const begin = args.findIndex((arg) => !arg.startsWith('-'));
    process.exitCode = spawnSync(args[begin], args.slice(begin + 1), { stdio: 'inherit' }).status ?? 1;
  },
  // The plugin asks more and more seldom until a job has ended, so this answers when one has.
  async sacct() {
    if (args.some((arg) => /Reason|nodelist|Account/i.test(arg))) return;
    const running = () => jobs().filter((id) => stateOf(id) === 'RUNNING').length;
    const before = running();
    for (let waited = 0; waited < 50 && before > 0 && running() === before; waited += 0.1) await pause(100);
    for (const id of jobs()) console.log(`${id}|${stateOf(id)}`);
  },
  scancel() {
    for (const id of args) {
      writeFileSync(inState(`${id}.cancelled`), '');
      process.kill(-Number(readFileSync(inState(`${id}.pid`), 'utf8')), 'SIGTERM');
    }
  },
  sinfo() {},
};
if (commands[command]) await commands[command]();
else process.exitCode = 1;
