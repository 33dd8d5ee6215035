import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { expandNodes, placeInJob } from '../../src/training/place-in-job.js';

const torchrun = { RANK: '3', WORLD_SIZE: '4', MASTER_ADDR: 'node1', MASTER_PORT: '29500' };
const slurm = {
  ...{ SLURM_PROCID: '5', SLURM_NTASKS: '7', SLURM_JOB_ID: '812', SLURM_STEP_ID: '3', SLURM_LOCALID: '1' },
  ...{ SLURM_STEP_NODELIST: 'gpu[08-10],big', SLURM_STEP_TASKS_PER_NODE: '2(x3),1', SLURM_NODEID: '2' },
};

describe('placeInJob', () => {
  it('reads what torchrun and its like set', () => {
    const place = { index: 3, count: 4, host: 'node1', port: 29500, job: '', local: { index: 3, count: 4 } };
    expect(placeInJob(torchrun)).toEqual(place);
    expect(placeInJob({ ...torchrun, LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2', TORCHELASTIC_RUN_ID: 'a' })).toEqual({
      ...{ ...place, job: 'a', local: { index: 1, count: 2 } },
    });
  });

  it('reads what srun sets, and tells steps apart by job and port', () => {
    const place = placeInJob(slurm)!;
    expect(place).toMatchObject({ index: 5, count: 7, host: 'gpu08', job: '812.3', local: { index: 1, count: 2 } });
    expect(placeInJob({ ...slurm, SLURM_NODEID: '3', SLURM_LOCALID: '0' })!.local).toEqual({ index: 0, count: 1 });
    const other = placeInJob({ ...slurm, SLURM_STEP_ID: '4' })!;
    expect([other.job, other.port]).toEqual(['812.4', place.port + 1]);
  });

  it('is of no job alone, nor in a batch script that has no step', () => {
    expect(placeInJob({})).toBeUndefined();
    expect(placeInJob({ ...slurm, SLURM_STEP_ID: undefined })).toBeUndefined();
  });

  it.each([
    [{ RANK: '0' }, /RANK is set, but not WORLD_SIZE, MASTER_ADDR, MASTER_PORT/],
    [{ ...torchrun, RANK: '4' }, /RANK is a whole number from 0 to 3; got "4"/],
    [{ ...torchrun, MASTER_PORT: 'x' }, /MASTER_PORT is a whole number from 1 to 65535; got "x"/],
    [{ ...torchrun, LOCAL_WORLD_SIZE: '5' }, /LOCAL_WORLD_SIZE is a whole number from 1 to 4/],
    [{ ...slurm, SLURM_STEP_NODELIST: '' }, /SLURM_STEP_NODELIST.* is missing/],
  ])('refuses %o', (environment, message) => {
    expect(() => placeInJob(environment)).toThrow(message);
  });
});

it.each([
  ['a', ['a']],
  ['a1,b2', ['a1', 'b2']],
  ['a[1-3,7],b', ['a1', 'a2', 'a3', 'a7', 'b']],
  ['rack[1-2]-n[09-10]', ['rack1-n09', 'rack1-n10', 'rack2-n09', 'rack2-n10']],
  ['', []],
])('expandNodes(%j)', (list, nodes) => {
  expect(expandNodes(list)).toEqual(nodes);
});

describe('joinReplicas', () => {
  const program = `
    import { joinReplicas } from ${JSON.stringify(new URL('../../dist/training/index.js', import.meta.url))};
    import { tf } from ${JSON.stringify(new URL('../../dist/engine/index.js', import.meta.url))};
    const replicas = await joinReplicas({ startSeconds: 30 });
    const { index, count } = replicas;
    const mean = replicas.mean({ x: tf.scalar(index + 1) }).x.dataSync()[0];
    await replicas.leave();
    const { TF_NUM_INTRAOP_THREADS: threads, CUDA_VISIBLE_DEVICES: gpus } = process.env;
    console.log(JSON.stringify({ index, count, mean, threads: Number(threads) > 0, gpus }));
    process.exit(0);`;

  async function runIn(environment: Record<string, string>): Promise<unknown> {
    const { CUDA_VISIBLE_DEVICES: _, ...inherited } = process.env;
    const worker = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...inherited, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, error] = await Promise.all([text(worker.stdout), text(worker.stderr)]);
    expect(out, error).not.toBe('');
    return JSON.parse(out);
  }

  it('joins the workers that the environment names, each with its GPU and cores; alone without them', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await once(server.close(), 'close');
    const shared = { WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) };
    const found = await Promise.all([runIn({ ...shared, RANK: '0' }), runIn({ ...shared, RANK: '1' }), runIn({})]);
    expect(found).toEqual([
      { index: 0, count: 2, mean: 1.5, threads: true, gpus: '0' },
      { index: 1, count: 2, mean: 1.5, threads: true, gpus: '1' },
      { index: 0, count: 1, mean: 1, threads: true },
    ]);
  });
});
