export { DiskFullError, explainDiskFull, isDiskFull } from './disk-full.js';
export { projectRoot, syncFolder, temporaryName, writeFileAtomic, writeFileAtomicSync } from './files.js';
export { canonicalJson, digestOfFile, sha256, sha256OfTree } from './hash.js';
export { inParallel } from './in-parallel.js';
export { atOnce, inTurns } from './in-turns.js';
export {
  InterruptedError,
  input,
  interruptSignal,
  type KernelServices,
  kernelServices,
  throwIfInterrupted,
} from './interrupt.js';
export { Generator, Key, key } from './key.js';
export { FileLock, lockOwner } from './lock.js';
export { type Answers, answerCalls, parentCalls } from './process-calls.js';
export { removeUnfinished, UnfinishedFile } from './unfinished-file.js';
