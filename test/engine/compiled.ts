import { onTestFinished } from 'vitest';
import { type Compiled, compile } from '../../src/engine/index.js';

/** A compiled step that is disposed of when the test ends. */
export function compiled<Inputs extends unknown[], Output>(
  step: (...inputs: Inputs) => Output,
  options?: Parameters<typeof compile>[1],
): Compiled<Inputs, Output> {
  const result = compile(step, options);
  onTestFinished(() => result.dispose());
  return result;
}
