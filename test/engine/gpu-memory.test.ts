import { expect, test } from 'vitest';
import { gibibytesOf, heldGpuGibibytes } from '../../src/engine/gpu-memory.js';
import { describeDevice } from '../../src/engine/index.js';

test('the GPU memory of a process is the sum over its GPUs, and not known where the driver does not tell', () => {
  expect(gibibytesOf('12, 512\n77, 2048\n77, 1024\n', 77)).toBe(3);
  expect(gibibytesOf('12, 512\n', 77)).toBeUndefined();
  expect(gibibytesOf('77, [N/A]\n', 77)).toBeUndefined();
  expect(gibibytesOf('', 77)).toBeUndefined();
});

test.skipIf(describeDevice().type === 'gpu')('there is none without a GPU', () => {
  expect(heldGpuGibibytes()).toBeUndefined();
});
