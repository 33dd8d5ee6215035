import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A step that cannot be compiled, or wrong use of a compiled step. */
export class CompileError extends Error {
  override name = 'CompileError';
}

/** Where a step's author called what the recorder saw. */
export interface CallSite {
  /** Name of the function that was called there: `dataSync`, `print`. */
  call: string;
  /** `file:line:column`. */
  line: string;
}

const engineFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** Finds the innermost line in a stack that is neither tfjs, nor Node, nor the engine: the step author's own. */
export function callSite(stack: string | undefined): CallSite {
  let call = '';
  for (const frame of stack?.split('\n').slice(1) ?? []) {
    const [, name = '', place = ''] = /^\s*at (?:async )?(?:(.*?) \()?(.*?)\)?$/.exec(frame) ?? [];
    const line = place.startsWith('file://') ? place.slice('file://'.length) : place;
    const foreign = line.includes('node_modules/@tensorflow/') || line.startsWith('node:');
    if (/:\d+:\d+$/.test(line) && !foreign && !line.startsWith(engineFolder)) return { call, line };
    // tfjs calls its op functions `matMul__op` or `matMul_`, and its kernels' functions `Object.kernelFunc`.
    call =
      name
        .replace(/^.*\./, '')
        .replace(/ \[as .*\]$/, '')
        .replace(/_(_op)?$/, '') || call;
  }
  return { call, line: 'an unknown line' };
}
