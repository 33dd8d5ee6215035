import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** Process ids of a process and all that it started, from Linux's /proc. */
export function treeOf(root) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = tryRead(() => Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))[1]));
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const tree = [root];
  for (const one of tree) for (const [pid, parent] of parents) if (parent === one) tree.push(pid);
  return tree;
}

/**
 * Memory of a tree of processes, bytes: the sum of their proportional set sizes, so that pages which they share count
 * once, and their files in memory that have no name.
 */
export function memoryOf(tree) {
  const each = tree.map((pid) => tryRead(() => kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss')) ?? 0);
  const files = new Map();
  for (const pid of tree) {
    for (const name of tryRead(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const path = `/proc/${pid}/fd/${name}`;
      if (!tryRead(() => readlinkSync(path))?.startsWith('/dev/shm/')) continue;
      const facts = tryRead(() => statSync(path));
      if (facts) files.set(facts.ino, facts.blocks * 512);
    }
  }
  const shared = [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { processes: each, shared, total: each.reduce((sum, bytes) => sum + bytes, shared) };
}

/** The most that each process ever had resident, bytes; pages that they share count in each. */
export function highestOf(tree) {
  return tree.map((pid) => tryRead(() => kibibytes(`/proc/${pid}/status`, 'VmHWM')) ?? 0);
}

function kibibytes(path, field) {
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(path, 'latin1'))[1]);
}

/** Undefined for a process that has ended meanwhile. */
function tryRead(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
