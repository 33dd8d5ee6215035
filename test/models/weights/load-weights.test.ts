import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { sha256, startFiles } from '../../../bench/data-servers.mjs';
import { key } from '../../../src/base/index.js';
import { mapTensors, type Tensors, tf, withPrefix, writeSafetensors } from '../../../src/engine/index.js';
import { type Backbone, type LoadedWeights, loadWeights, resnet, toTorch, vit } from '../../../src/models/index.js';
import { resolveNames } from '../../../src/models/weights/naming.js';
import { hashUniform } from '../../fixtures/hash-uniform.js';

function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  return Math.hypot(...values.map((value, at) => actual[at]! - value)) / Math.hypot(...values);
}

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/foreign-weights/${name}`, import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(fixture(name), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'load-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const small = resnet({ depth: 18, width: 0.125 });
/** As PyTorch has it. */
const weights = toTorch(small.initialize(key('weights')));
const classifier: Tensors = { 'fc.weight': tf.ones([5, 64]), 'fc.bias': tf.zeros([5]) };
let files = 0;
const written = async (tensors: Tensors) => {
  const path = join(folder, `${files++}.safetensors`);
  await writeSafetensors(path, tensors);
  return path;
};
const bits = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, [tensor.shape, [...tensor.dataSync()]]]));
const expectSame = ({ model }: LoadedWeights, expected = weights) =>
  expect(bits(toTorch(model))).toEqual(bits(expected));

describe('names of other implementations', () => {
  it.each(Object.entries(json('names.json') as Record<string, [string, string][]>))('%s', (_, pairs) => {
    // Archives of NumPy have no room for a prefix.
    const before = pairs[0]![0].includes('/') ? '' : 'model.';
    const { prefix, names } = resolveNames(
      pairs.map(([theirs]) => `${before}${theirs}`),
      pairs.map(([, target]) => target),
    );

    expect(prefix).toBe(before);
    expect([...names].map(([target, theirs]) => [theirs.slice(before.length), target])).toEqual(pairs);
  });

  it('are not guessed where they fit in no way', () => {
    expect(() => resolveNames(['a.weight', 'b.bias'], ['conv1.weight', 'bn1.weight'])).toThrow(
      /match the network in no known naming .* it has a\.weight, b\.bias/,
    );
  });
});

describe('loadWeights', () => {
  const tiny = { imageSize: 32, patchSize: 8, width: 16, depth: 2, heads: 2 } as const;
  const networks: Record<string, [file: string, Backbone]> = {
    'hugging-face-vit': ['hugging-face-vit.safetensors', vit(tiny)],
    'hugging-face-dinov2': ['hugging-face-dinov2.bin', vit({ ...tiny, layerScale: 1 })],
    'hugging-face-registers': [
      'hugging-face-registers.pth',
      vit({ ...tiny, layerScale: 1, registers: 3, activation: 'swiglu', mlpRatio: 6 }),
    ],
    'torchvision-vit': ['torchvision-vit.pth', vit(tiny)],
  };

  it.each(Object.entries(networks))("gives the features of %s's own code", async (name, [file, backbone]) => {
    const { model, classifier, files } = await loadWeights(backbone, fixture(file), { classes: 5 });
    const images = tf.tensor4d(hashUniform(0, 32 * 32 * 3), [1, 32, 32, 3]);
    const features = backbone.apply(model, images, { training: false }).features;
    expect(relativeError(features.dataSync(), json('features.json')[name])).toBeLessThan(1e-5);
    expect(files).toEqual({ [file]: sha256(readFileSync(fixture(file))) });
    if (name !== 'torchvision-vit') return expect(classifier).toBeUndefined();
    const logits = tf.matMul(features as never, classifier!.weight as never, false, true).add(classifier!.bias!);
    expect(relativeError(logits.dataSync(), json('logits.json'))).toBeLessThan(1e-5);
  });

  it('takes what it wrote, bit for bit', async () => {
    expectSame(await loadWeights(small, await written(weights)));
  });

  it.each<[string, string, Tensors]>([
    [
      'MoCo',
      'state_dict.module.encoder_q.',
      { 'state_dict.module.encoder_k.fc.0.weight': tf.ones([2]), ...classifier },
    ],
    ['DINO', 'teacher.backbone.', { 'teacher.head.mlp.0.weight': tf.ones([2]) }],
    ['MAE', 'model.', { 'model.decoder_pred.weight': tf.ones([2]), 'model.mask_token': tf.ones([2]) }],
    ['PatchTCGA', 'state_dict.net_online.net.', { 'state_dict.net_online.projector.0.weight': tf.ones([2]) }],
    ['lightly', 'state_dict.backbone.', { 'state_dict.projection_head.layers.0.weight': tf.ones([2]) }],
  ])('finds the backbone in a checkpoint of %s', async (method, prefix, others) => {
    const twice: Record<string, string> = {
      MoCo: 'state_dict.module.encoder_k.',
      DINO: 'student.module.backbone.',
      PatchTCGA: 'state_dict.net_target.net.',
    };
    const other = mapTensors(weights, (tensor) => tensor.mul(2));
    const loaded = await loadWeights(
      small,
      await written({
        ...(twice[method] && withPrefix(other, twice[method])),
        ...withPrefix(weights, prefix),
        ...(method === 'MoCo' ? withPrefix(classifier, prefix) : {}),
        ...others,
      }),
    );
    expect(loaded.prefix).toBe(prefix);
    expectSame(loaded);
  });

  it('asks which, where a file holds a network twice', async () => {
    const path = await written({ ...withPrefix(weights, 'a.'), ...withPrefix(weights, 'b.') });
    await expect(loadWeights(small, path)).rejects.toThrow(
      /it contains the network 2 times; choose one with the option prefix: "a\.", "b\."/,
    );
    expect((await loadWeights(small, path, { prefix: 'b.' })).prefix).toBe('b.');
  });

  it('lists what is missing, left over, or of another shape, and lets pass what the caller says', async () => {
    const { 'bn1.weight': _, ...without } = weights;
    const lacking = await written(without);
    await expect(loadWeights(small, lacking)).rejects.toThrow(
      new RegExp(
        `${lacking} does not fit resnet18 .*: it lacks bn1\\.weight \\(names of timm and torchvision\\); .*mayBeMissing`,
      ),
    );
    expect((await loadWeights(small, lacking, { mayBeMissing: ['bn1.'] })).missing).toEqual(['bn1.weight']);

    const more = await written({ ...weights, 'extra.weight': tf.ones([2]) });
    await expect(loadWeights(small, more)).rejects.toThrow(/also has extra\.weight .*mayBeLeftOver/);
    expect((await loadWeights(small, more, { mayBeLeftOver: ['extra'] })).leftOver).toEqual(['extra.weight']);
    // Published weights of Inception have a classifier of training alone.
    const auxiliary = await written({ ...weights, 'AuxLogits.fc.weight': tf.ones([2]) });
    expect((await loadWeights(small, auxiliary)).leftOver).toEqual(['AuxLogits.fc.weight']);

    const reshaped = await written({ ...weights, 'bn1.weight': tf.ones([9]) });
    await expect(loadWeights(small, reshaped)).rejects.toThrow(/has other shapes: bn1\.weight \[9\] instead of \[8\]/);
    const whole = await written({ ...weights, 'bn1.weight': tf.ones([8], 'int32') });
    await expect(loadWeights(small, whole)).rejects.toThrow(/bn1\.weight of type I32/);
  });

  it('gives back a classifier of as many classes as asked, and drops others', async () => {
    const path = await written({ ...weights, ...classifier });
    await expect(loadWeights(small, path)).rejects.toThrow(/also has fc\.weight, fc\.bias .*classes \(0 drops/);
    const asked = await loadWeights(small, path, { classes: 5 });
    expect(asked.classifier!.weight!.shape).toEqual([5, 64]);
    for (const classes of [0, 2]) expect((await loadWeights(small, path, { classes })).classifier).toBeUndefined();
  });

  it.each([1, 2, 4, 7])('fits the first convolution to %i channels', async (channels) => {
    const { model } = await loadWeights(small, await written(weights), { channels });
    const images = tf.randomUniform([1, 32, 32, channels], 0, 1, 'float32', 1);
    expect(small.apply(model, images, { training: false }).features.shape).toEqual([1, 64]);
    // One channel sums over three; several are three again and again, of the same size in all.
    const given = weights['conv1.weight']!.arraySync() as number[][][][];
    const made = toTorch(model)['conv1.weight']!.arraySync() as number[][][][];
    const [from, to] = [given[3]!, made[3]!].map((kernels) => kernels.map((kernel) => kernel[2]![4]!)) as [
      number[],
      number[],
    ];
    const scale = 3 / channels;
    const expected =
      channels === 1 ? [from[0]! + from[1]! + from[2]!] : to.map((_, channel) => from[channel % 3]! * scale);
    expect(relativeError(to, expected)).toBeLessThan(1e-6);
    expect(to).toHaveLength(channels);
  });

  it('lets a transformer see other channels, too', async () => {
    const network = vit(tiny);
    const path = await written(toTorch(network.initialize(key(1))));
    const { model } = await loadWeights(network, path, { channels: 1 });
    const gray = tf.randomUniform([1, 32, 32, 1], 0, 1, 'float32', 1);
    const { model: colored } = await loadWeights(network, path);
    const [one, three] = [
      network.apply(model, gray, { training: false }),
      network.apply(colored, tf.tile(gray, [1, 1, 1, 3]), { training: false }),
    ].map(({ features }) => features.dataSync());
    expect(relativeError(one!, three!)).toBeLessThan(1e-5);
  });

  it('resamples positions to the size of the backbone', async () => {
    const options = { patchSize: 8, width: 16, depth: 1, heads: 2 };
    const path = await written(toTorch(vit({ ...options, imageSize: 32 }).initialize(key(1))));
    const { model } = await loadWeights(vit({ ...options, imageSize: 64 }), path);
    expect(model.parameters.pos_embed!.shape).toEqual([1, 65, 16]);
  });

  it('reads a folder of shards with their index', async () => {
    const names = Object.keys(weights);
    const parts = { 'model-1.safetensors': names.slice(0, 20), 'model-2.safetensors': names.slice(20) };
    const place = join(folder, 'shards');
    mkdirSync(place);
    for (const [file, part] of Object.entries(parts)) {
      await writeSafetensors(join(place, file), Object.fromEntries(part.map((name) => [name, weights[name]!])));
    }
    const index = (map: Record<string, string>) =>
      writeFileSync(join(place, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
    const map = Object.fromEntries(Object.entries(parts).flatMap(([file, part]) => part.map((name) => [name, file])));
    index(map);
    const loaded = await loadWeights(small, place);
    expectSame(loaded);
    expect(Object.keys(loaded.files)).toEqual(['model.safetensors.index.json', ...Object.keys(parts)]);
    index({ ...map, 'bn1.weight': 'model-2.safetensors' });
    await expect(loadWeights(small, place)).rejects.toThrow(
      /lists the tensor "bn1\.weight" in model-2\.safetensors, which does not contain it/,
    );
    index({ ...map, 'bn1.weight': '../model-1.safetensors' });
    await expect(loadWeights(small, place)).rejects.toThrow(/not an index of shards: its weight_map does not give/);
    index(Object.fromEntries(Object.entries(map).slice(1)));
    await expect(loadWeights(small, place)).rejects.toThrow(/lists \d+ tensors, but its shards contain \d+/);
  });

  it('brings the file of an address, goes on where a connection ended, and refuses another file', async () => {
    const content = readFileSync(await written(weights));
    // The first download breaks off in the middle.
    const server = await startFiles(
      { 'net.safetensors': content },
      { fault: (_path: string, attempt: number) => (attempt === 2 ? { dropAfter: content.length >> 1 } : undefined) },
    );
    try {
      const url = `${server.url}/net.safetensors`;
      const options = { folder: join(folder, 'brought'), sha256: sha256(content), download: { backoffSeconds: 0.01 } };
      const loaded = await loadWeights(small, url, options);
      expectSame(loaded);
      expect(loaded.files).toEqual({ 'net.safetensors': options.sha256 });
      expect(server.requests.map(({ method, headers }) => [method, headers.range])).toEqual([
        ['HEAD', undefined],
        ['GET', undefined],
        ['GET', `bytes=${content.length >> 1}-`],
      ]);
      await loadWeights(small, url, options);
      expect(server.requests).toHaveLength(3);
      await expect(loadWeights(small, url, { ...options, sha256: 'a'.repeat(64) })).rejects.toThrow(
        /the content does not match the list: its SHA-256/,
      );
      await expect(loadWeights(small, url, { folder })).rejects.toThrow(/weights from a URL need the option sha256/);
    } finally {
      await server.close();
    }
  });
});
