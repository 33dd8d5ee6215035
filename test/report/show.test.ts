import { table } from 'arquero';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { display, html, resultsFrame } from '../../src/report/index.js';
import { outputOf } from '../../src/report/show.js';

// biome-ignore lint/suspicious/noExplicitAny: tests look into the messages
let messages: any[];
const services = Symbol.for('pathlab.kernel');
beforeAll(() => {
  (globalThis as Record<symbol, unknown>)[services] = { display: (message: unknown) => messages.push(message) };
});
afterAll(() => {
  delete (globalThis as Record<symbol, unknown>)[services];
});
beforeEach(() => {
  messages = [];
});

/** The only bundle that was shown. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function shown(): any {
  expect(messages).toHaveLength(1);
  return messages[0].data;
}
const imageOf = (data: Record<string, unknown>) => sharp(Buffer.from(String(data['image/png']), 'base64'));

test('a long arquero table: its size and its first rows, as text that is not markup', async () => {
  const rows = Array.from({ length: 1500 }, (_, at) => at);
  await display(table({ slide: rows.map((at) => `<b>${at}`), patches: rows }));
  const data = shown();
  expect(data['text/plain']).toMatch(/^1,500 rows x 2 columns; the first 20\n/);
  expect(data['text/html'].match(/<tr>/g)).toHaveLength(21);
  expect(data['text/html']).toContain('&lt;b&gt;19');
});

test('an empty table shows its columns', async () => {
  await display(table({ slide: [], patches: [] }));
  expect(shown()['text/html']).toContain('>patches</th>');
});

test('a danfojs frame, and a series', async () => {
  const frame = await resultsFrame([
    { method: 'simclr', accuracy: 0.5 },
    { method: 'dino', accuracy: 0.75 },
  ]);
  await display(frame);
  expect(shown()['text/plain']).toBe(
    '2 rows x 2 columns\nmethod  accuracy\n------  --------\nsimclr       0.5\ndino        0.75',
  );
  messages = [];
  await display(frame.column('accuracy'));
  expect(shown()['text/plain']).toMatch(/^2 rows x 1 column\naccuracy\n/);
});

test('a small tensor: dtype, shape, range, values, and how many are not finite', async () => {
  await display(tf.tensor2d([1, 2, 3, Number.NaN], [2, 2]));
  expect(shown()['text/plain']).toBe('Tensor float32[2, 2], 1 to 3, mean 2, 1 of 4 not finite\n[[1, 2],\n [3, NaN]]');
  const [scalar] = (await outputOf(tf.scalar(3, 'int32')))!;
  expect(scalar['text/plain']).toBe('Tensor int32[], 3');
  const gone = tf.scalar(1);
  gone.dispose();
  expect((await outputOf(gone))![0]['text/plain']).toBe('Tensor float32[], disposed');
  expect((await outputOf(tf.tensor(['a', 'b'])))![0]['text/plain']).toBe('Tensor string[2]\n[a, b]');
});

test('a batch of images has an image of the right colours', async () => {
  const red = tf.fill([1, 16, 16, 1], 1);
  const none = tf.zeros([1, 16, 16, 1]);
  const batch = tf.concat([tf.concat([red, none, none], 3), tf.concat([none, none, red], 3)], 0);
  await display(batch);
  const data = shown();
  expect(data['text/plain']).toBe('Tensor float32[2, 16, 16, 3], 0 to 1, mean 0.3333');
  expect(data['text/html']).toContain('<img');
  const { data: pixels, info } = await imageOf(data).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([228, 112]);
  expect([...pixels.subarray(0, 3)]).toEqual([255, 0, 0]);
  expect([...pixels.subarray(pixels.length - 3)]).toEqual([0, 0, 255]);
});

test('a range below zero is stretched, and said so', async () => {
  await display(tf.linspace(-2, 2, 64).reshape([8, 8]));
  const data = shown();
  expect(data['text/plain']).toContain('black is the minimum and white the maximum');
  const pixels = await imageOf(data).greyscale().raw().toBuffer();
  expect([pixels[0], pixels.at(-1)]).toEqual([0, 255]);
});

test('a Vega-Lite specification: live, as an image, in words', async () => {
  await display({
    data: { values: [{ a: 'x', b: 2 }] },
    mark: 'bar',
    encoding: { x: { field: 'a', type: 'nominal' }, y: { field: 'b', type: 'quantitative' } },
  });
  const data = shown();
  expect(data['application/vnd.vegalite.v5+json'].$schema).toContain('vega-lite/v5');
  expect((await imageOf(data).metadata()).format).toBe('png');
  expect(data['text/plain']).toBe('Chart (bar): x a, y b');
});

test('modules and objects that have a name of a chart by chance are none', async () => {
  const lookalikes = [
    tf,
    await import('../../src/index.js'),
    { data: [1, 2], mark: 'bar', encoding: {} },
    { data: { values: [] }, mark: { passed: true }, encoding: 'utf-8' },
    { data: { rows: 3 }, layer: [1] },
    { data: { values: [] }, concat: () => {} },
  ];
  for (const value of lookalikes) expect(await outputOf(value)).toBeUndefined();
  const layered = { data: { values: [{ a: 1 }] }, layer: [{ mark: 'point', encoding: {} }] };
  expect((await outputOf(layered))![0]['text/plain']).toBe('Chart');
});

test('dates of arquero and danfojs are shown by ISO 8601', async () => {
  const rows = [{ day: new Date('2026-11-27'), time: new Date('2026-11-27T10:30:00Z') }];
  for (const value of [table({ day: [rows[0]!.day], time: [rows[0]!.time] }), await resultsFrame(rows)]) {
    const [bundle] = (await outputOf(value))!;
    expect(bundle['text/plain']).toMatch(/2026-11-27 +2026-11-27T10:30:00Z/);
  }
});

test('images: of sharp, encoded, and as pixels', async () => {
  const teal = sharp({ create: { width: 900, height: 300, channels: 3, background: 'teal' } });
  const jpeg = await teal.clone().resize(40).jpeg().toBuffer();
  for (const [value, words, width] of [
    [teal, 'Image, 900 x 300 px, RGB', 512],
    [jpeg, 'Image, 40 x 13 px, RGB', 40],
    [{ pixels: new Uint8ClampedArray(4 * 6 * 4), width: 6, height: 4 }, 'Image, 6 x 4 px, RGBA', 6],
    [{ pixels: new Uint8Array(4 * 6), width: 6, height: 4 }, 'Image, 6 x 4 px, gray', 6],
  ] as const) {
    messages = [];
    await display(value);
    expect(shown()['text/plain']).toBe(words);
    expect(messages[0].metadata['image/png'].width).toBe(width);
  }
});

test('HTML, bundles with metadata, and values that know how they are shown', async () => {
  await display(html('<style>b { color: red }</style><b>5 &lt; 6</b>'));
  expect(shown()['text/plain']).toBe('5 < 6');
  messages = [];
  display({ 'text/html': '<i>at once</i>' }, { isolated: true });
  expect(messages).toEqual([
    { data: { 'text/plain': 'at once', 'text/html': '<i>at once</i>' }, metadata: { isolated: true } },
  ]);
  messages = [];
  await display({ [Symbol.for('pathlab.display')]: () => ({ 'text/markdown': '**own**' }) });
  expect(shown()['text/markdown']).toBe('**own**');
});

test('anything else is shown in words, and has no rich output', async () => {
  await display({ epochs: 3 });
  expect(shown()['text/plain']).toBe('{ epochs: 3 }');
  for (const plain of [3, 'text', null, [1, 2], { data: 1 }, new Uint8Array(9), { pixels: 1, width: 2, height: 3 }]) {
    expect(await outputOf(plain)).toBeUndefined();
  }
});
