import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { key } from '../../../src/base/index.js';
import { readAll, type TensorFile } from '../../../src/engine/index.js';
import { openNpz } from '../../../src/models/weights/npz.js';
import { openTorchFile } from '../../../src/models/weights/torch-file.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/torch-files/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'torch-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

const float = (shape: number[], values: number[]) => ['float32', shape, values.map(Math.fround)];
const whole = (values: number[]) => ['int32', [values.length], values];
const square = Array.from({ length: 12 }, (_, i) => i);

describe('openTorchFile', () => {
  it.each(['zip.pth', 'zip-protocol-5.pth', 'older.pth'])('reads every tensor of %s', async (name) => {
    expect(await read(await openTorchFile(fixture(name)))).toEqual({
      'state_dict.F64': float([2], [0.5, -2]),
      'state_dict.F16': float([2], [1.5, 65504]),
      'state_dict.BF16': float([2], [1.5, -3]),
      'state_dict.I64': whole([-7, 2 ** 31 - 1]),
      'state_dict.I32': whole([-7, 7]),
      'state_dict.I16': whole([-7, 7]),
      'state_dict.I8': whole([-7, 7]),
      'state_dict.U8': whole([7, 255]),
      'state_dict.BOOL': ['bool', [2], [1, 0]],
      'state_dict.weight': float(
        [3, 4],
        square.map((value) => value / 7),
      ),
      'state_dict.transposed': float([4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]),
      'state_dict.permuted': float(
        [4, 2, 3],
        [0, 1, 2, 3].flatMap((last) => [0, 1].flatMap((first) => [0, 1, 2].map((mid) => first * 12 + mid * 4 + last))),
      ),
      'state_dict.row': float([4], [4, 5, 6, 7]),
      'state_dict.column': float([3], [2, 6, 10]),
      'state_dict.stepped': float([2, 2], [1, 3, 9, 11]),
      'state_dict.shared': float([3, 4], square),
      'state_dict.scalar': float([], [3.25]),
      'state_dict.empty': float([0, 3], []),
      'optimizer.state.0.step': float([], [5]),
    });
  });

  it('reads a tensor whose storage has no type', async () => {
    expect(await read(await openTorchFile(fixture('untyped.pth')))).toEqual({ U16: whole([7, 2 ** 16 - 1]) });
  });

  it.each(['attack.pth', 'older-attack.pth'])('runs nothing of %s, and names it', async (name) => {
    await expect(openTorchFile(fixture(name))).rejects.toThrow(
      new RegExp(
        `${name} is not a file of tensors by PyTorch: its pickle would run (posix|nt)\\.system, which pathlab does not allow`,
      ),
    );
    expect(existsSync('/tmp/pathlab-was-here')).toBe(false);
  });

  it('refuses a tensor with more elements than its storage', async () => {
    await expect(openTorchFile(fixture('expanded.pth'))).rejects.toThrow(/does not fit its storage of 1 elements/);
  });

  it.each(['zip.pth', 'older.pth'])('says one clear thing of %s damaged, or reads it', async (name) => {
    const good = readFileSync(fixture(name));
    const path = join(folder, 'damaged.pth');
    let refused = 0;
    for (let seed = 0; seed < 200; seed++) {
      const generator = key('damaged').fold(seed).generator();
      const bytes = Buffer.from(generator.integer(4) === 0 ? good.subarray(0, generator.integer(good.length)) : good);
      for (let byte = 0; byte < 3 && bytes.length > 0; byte++) {
        bytes[generator.integer(bytes.length)] = generator.integer(256);
      }
      writeFileSync(path, bytes);
      const said = await openTorchFile(path)
        .then(readAll)
        .then(
          () => undefined,
          (error: Error) => error.message,
        );
      if (said === undefined) continue;
      refused++;
      expect(said, `seed ${seed}`).toMatch(/damaged\.pth/);
    }
    expect(refused).toBeGreaterThan(50);
  });
});

describe('openNpz', () => {
  it.each(['arrays.npz', 'compressed.npz'])('reads every array of %s', async (name) => {
    expect(await read(await openNpz(fixture(name)))).toEqual({
      'resnet/kernel': float(
        [2, 3, 4],
        Array.from({ length: 24 }, (_, i) => i),
      ),
      fortran: float([2, 3], [0, 1, 2, 3, 4, 5]),
      counts: whole([-1, 5]),
      half: float([2], [1.5, -2]),
      scalar: float([], [0.5]),
    });
  });

  it('refuses what would be a pickle', async () => {
    await expect(openNpz(fixture('objects.npz'))).rejects.toThrow(
      /objects\.npz .* "objects" is not an array of plain numbers/,
    );
  });
});

async function read(file: TensorFile) {
  return Object.fromEntries(
    Object.entries(await readAll(file)).map(([name, tensor]) => [
      name,
      [tensor.dtype, tensor.shape, [...tensor.dataSync()]],
    ]),
  );
}
