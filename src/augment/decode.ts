import { type Attribute, attribute, executeOp, runOp, type Tensor, tf } from '../engine/index.js';

/** What the images of a batch are, encoded. */
export interface DecodeOptions {
  /** Size of every image as it is encoded, px. */
  height: number;
  width: number;
  /**
   * Decodes at one half, one quarter or one eighth of the size, straight from the image's frequencies: what would be
   * left after averaging squares of 2, 4 or 8 px, and cheaper than decoding whole. 1 by default.
   */
  ratio?: 1 | 2 | 4 | 8;
}

/**
 * Decodes JPEGs (or, whole, PNGs), all of one size. TensorFlow ops only: in a compiled step it runs off the main
 * thread, several images at a time.
 *
 * The decoder is libjpeg-turbo, with its accurate integer transform and smooth enlargement of subsampled color. Two
 * decoders that are right differ by one in 255 in some pixels.
 *
 * Unlike files of unknown origin, which processes of their own decode (see `readImageFiles`), shards are decoded in this
 * process: compiling has encoded each of their images, or decoded it whole to see that it is sound, and at thousands a
 * second there is no time to hand pixels over. Shards that somebody else made are as trusted as the code that reads them.
 *
 * Despite its name, TensorFlow's op also decodes PNG and GIF; callers that need JPEGs check the first bytes, as
 * `readEncoded` does. An orientation in EXIF is not looked at: compiling has turned images upright.
 *
 * @param encoded byte strings, `[batch]` (see `uploadStrings`)
 * @returns bytes, `[batch, height / ratio, width / ratio, 3]`, each side rounded up; gray images become RGB
 * @throws Error when a string is not an image, is cut off, or is an image of another size
 */
export function decodeJpegs(encoded: Tensor, options: DecodeOptions): Tensor {
  const { height, width, ratio = 1 } = options;
  if (encoded.dtype !== 'string' || encoded.rank !== 1) {
    throw new RangeError(`decodeJpegs takes byte strings [batch]; got ${encoded.dtype} [${encoded.shape}]`);
  }
  if (![1, 2, 4, 8].includes(ratio)) throw new RangeError(`ratio is 1, 2, 4 or 8; got ${ratio}`);
  return decodeEach(
    'DecodeJpeg',
    encoded,
    [Math.ceil(height / ratio), Math.ceil(width / ratio), 3],
    [
      attribute.int('channels', 3),
      attribute.int('ratio', ratio),
      attribute.bool('fancy_upscaling', true),
      attribute.bool('try_recover_truncated', false),
      attribute.float('acceptable_fraction', 1),
      attribute.string('dct_method', 'INTEGER_ACCURATE'),
    ],
  );
}

/**
 * Decodes masks, PNGs of one channel and one size. TensorFlow ops only.
 *
 * @param encoded byte strings, `[batch]`
 * @returns int32 `[batch, height, width]`
 * @throws Error when a string is not a PNG, or is an image of another size
 */
export function decodeMasks(encoded: Tensor, { height, width }: { height: number; width: number }): Tensor {
  const options = [attribute.int('channels', 1), attribute.type('dtype', 'uint8')];
  return tf.tidy(() => integersOf(decodeEach('DecodePng', encoded, [height, width, 1], options)).squeeze([3]));
}

/** Bytes as int32, which the host can read. */
export function integersOf(bytes: Tensor): Tensor {
  return runOp('Cast', [attribute.type('SrcT', 'uint8'), attribute.type('DstT', 'int32')], [bytes]);
}

/** Decodes a batch image by image: bytes `[batch, ...shape]`. */
function decodeEach(op: string, encoded: Tensor, shape: readonly number[], options: readonly Attribute[]): Tensor {
  const batch = encoded.size;
  const bytes = attribute.type('T', 'uint8');
  const axis = attribute.int('axis', 0);
  return tf.tidy(() => {
    const unpack = [attribute.int('num', batch), attribute.type('T', 'string'), axis];
    const images = executeOp('Unpack', unpack, [encoded], batch).map((string) =>
      runOp('EnsureShape', [attribute.shape('shape', shape), bytes], [runOp(op, options, [string])]),
    );
    return runOp('Pack', [attribute.int('N', batch), bytes, axis], images);
  });
}
