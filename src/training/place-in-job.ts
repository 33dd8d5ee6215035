/** A worker's place among those of its job. */
export interface PlaceInJob {
  index: number;
  count: number;
  /** Where the first worker is found. */
  host: string;
  port: number;
  /** The job's name, which another job on the same machines has not. */
  job: string;
  /** The place among the workers of its machine. */
  local: { index: number; count: number };
}

/** What launchers such as torchrun set. */
const launched = ['RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'] as const;

/**
 * What the environment says of this process: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT (with LOCAL_RANK and
 * LOCAL_WORLD_SIZE, if all workers are not on one machine), or else what SLURM's srun sets.
 *
 * @returns undefined if it is of no job
 * @throws Error if a variable is missing or no number in its range
 */
export function placeInJob(environment: NodeJS.ProcessEnv): PlaceInJob | undefined {
  const given = launched.filter((name) => environment[name]);
  if (given.length > 0) return placeOfLauncher(environment, given);
  // Without a step this is the batch script or an allocation's shell, which is no worker.
  return environment.SLURM_PROCID && environment.SLURM_STEP_ID ? placeOfSlurm(environment) : undefined;
}

function placeOfLauncher(environment: NodeJS.ProcessEnv, given: readonly string[]): PlaceInJob {
  const missing = launched.filter((name) => !given.includes(name));
  if (missing.length > 0) {
    throw new Error(
      `${given.join(', ')} ${given.length > 1 ? 'are' : 'is'} set, but not ${missing.join(', ')}: set all of ${launched.join(', ')}, or none`,
    );
  }
  const count = numberIn(environment, 'WORLD_SIZE', 1);
  const index = numberIn(environment, 'RANK', 0, count - 1);
  const localCount = environment.LOCAL_WORLD_SIZE ? numberIn(environment, 'LOCAL_WORLD_SIZE', 1, count) : count;
  const localIndex = environment.LOCAL_RANK
    ? numberIn(environment, 'LOCAL_RANK', 0, localCount - 1)
    : index % localCount;
  return {
    ...{ index, count, host: environment.MASTER_ADDR!, port: numberIn(environment, 'MASTER_PORT', 1, 65_535) },
    job: environment.PATHLAB_JOB ?? environment.TORCHELASTIC_RUN_ID ?? environment.SLURM_JOB_ID ?? '',
    local: { index: localIndex, count: localCount },
  };
}

function placeOfSlurm(environment: NodeJS.ProcessEnv): PlaceInJob {
  const count = numberIn(environment, 'SLURM_NTASKS', 1);
  const nodes = expandNodes(environment.SLURM_STEP_NODELIST ?? environment.SLURM_JOB_NODELIST ?? '');
  if (nodes.length === 0)
    throw new Error('SLURM_STEP_NODELIST, which srun sets, is missing: the first node is not known');
  const job = `${environment.SLURM_JOB_ID}.${environment.SLURM_STEP_ID}`;
  return {
    ...{ index: numberIn(environment, 'SLURM_PROCID', 0, count - 1), count, host: nodes[0]!, job },
    // Another for each step, above the ports of services and below those that systems give away.
    port:
      15_000 + ((17 * numberIn(environment, 'SLURM_JOB_ID', 0) + numberIn(environment, 'SLURM_STEP_ID', 0)) % 15_000),
    local: {
      index: numberIn(environment, 'SLURM_LOCALID', 0),
      // "2(x3),1": of two tasks on each of three nodes and one on the next; a node without a place of its own has the first.
      count: tasksOfNode(environment.SLURM_STEP_TASKS_PER_NODE ?? '1', Number(environment.SLURM_NODEID ?? 0)),
    },
  };
}

/** SLURM's list of nodes, `a[01-03,7],b2`, node by node. */
export function expandNodes(list: string): string[] {
  return list.split(/,(?![^[]*\])/).flatMap((part) => {
    const [, before, ranges, after] = /^([^[]*)\[([^\]]*)\](.*)$/.exec(part) ?? [];
    if (ranges === undefined) return part ? [part] : [];
    return ranges.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-') as [string, string?];
      const numbers = Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
      return numbers.flatMap((number) => expandNodes(`${before}${String(number).padStart(first.length, '0')}${after}`));
    });
  });
}

/** SLURM's tasks of each node, `2(x3),1`. */
function tasksOfNode(list: string, node: number): number {
  const each = list.split(',').flatMap((part) => {
    const [, tasks, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? [];
    return new Array<number>(Number(times)).fill(Number(tasks));
  });
  return each[node] ?? each[0] ?? 1;
}

function numberIn(environment: NodeJS.ProcessEnv, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const text = environment[name] ?? '';
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  throw new Error(`${name} is a whole number ${range}; got "${text}"`);
}
