// One line in: {"x": [...], "y": [...], "jpeg": false}; one line out: milliseconds, bytes, and the first patch's pixels.
import { createInterface } from 'node:readline';
import { encodePatches, openSlide, patchGrid, readPatches, tissueMask } from '../../dist/slides/index.js';

const [path, quality] = process.argv.slice(2);
const slide = await openSlide(path);
const grid = patchGrid(slide, await tissueMask(slide, { umPerPixel: 32 }), { minimumTissue: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const { x, y, jpeg } = JSON.parse(line);
  const index = { ...grid, x: Int32Array.from(x), y: Int32Array.from(y) };
  const started = performance.now();
  let bytes = 0;
  let ms = 0;
  let first = '';
  if (jpeg) {
    for await (const { data } of encodePatches(slide, index, { quality: Number(quality) })) bytes += data.length;
    ms = performance.now() - started;
  } else {
    const { images, size } = await readPatches(slide, index);
    ms = performance.now() - started;
    bytes = images.length;
    first = Buffer.from(images.buffer, 0, size * size * 3).toString('base64');
  }
  console.log(JSON.stringify({ ms, bytes, first }));
}
await slide.close();
