import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Pixels } from './pixels.js';

/** From turbojpeg.h. */
const rgb = 0;
const samplesFull = 0;
const dontAllocate = 1024;
const severeError = 1;

/** libjpeg-turbo's TurboJPEG API: decodes and encodes RGB. */
export interface TurboJpeg {
  /**
   * Decodes into `target`, which must be of the image's size.
   *
   * @throws Error when the stream is damaged, cut short or of another size
   */
  decode(jpeg: Buffer, target: Pixels): void;
  /** Encodes without chroma subsampling. */
  encode(source: Pixels, quality: number): Buffer;
}

let loaded: TurboJpeg | undefined | null;

/** libjpeg-turbo as the package brings it, for Linux; undefined where it has none for this platform. */
export function turboJpeg(): TurboJpeg | undefined {
  if (loaded === undefined) {
    const path = findTurboJpeg();
    loaded = path === undefined ? null : load(path);
  }
  return loaded ?? undefined;
}

function findTurboJpeg(): string | undefined {
  const folder = dirname(createRequire(import.meta.url).resolve('@julusian/jpeg-turbo/package.json'));
  const { glibcVersionRuntime } = (process.report.getReport() as unknown as { header: Record<string, string> }).header;
  const musl = process.platform === 'linux' && !glibcVersionRuntime ? '-musl' : '';
  const path = join(
    ...[folder, 'prebuilds', `jpeg-turbo-${process.platform}-${process.arch}${musl}`, 'libturbojpeg.so.0'],
  );
  return existsSync(path) ? path : undefined;
}

function load(path: string): TurboJpeg {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(path);
  const header = library.func(
    'int tjDecompressHeader3(void *handle, const void *jpeg, unsigned long bytes, _Out_ int *width, _Out_ int *height, _Out_ int *subsampling, _Out_ int *colorspace)',
  );
  const decompress = library.func(
    'int tjDecompress2(void *handle, const void *jpeg, unsigned long bytes, void *target, int width, int pitch, int height, int format, int flags)',
  );
  const compress = library.func(
    'int tjCompress2(void *handle, const void *source, int width, int pitch, int height, int format, _Inout_ void **jpeg, _Inout_ unsigned long *bytes, int subsampling, int quality, int flags)',
  );
  const maxBytes = library.func('unsigned long tjBufSize(int width, int height, int subsampling)');
  const errorText = library.func('const char *tjGetErrorStr2(void *handle)');
  const errorCode = library.func('int tjGetErrorCode(void *handle)');
  const decoder = library.func('void *tjInitDecompress()')();
  const encoder = library.func('void *tjInitCompress()')();
  /** Stray bytes between a JPEG's parts harm nothing; every other warning means pixels that are made up. */
  const harmless = () => errorCode(decoder) !== severeError && /extraneous bytes/.test(errorText(decoder));
  return {
    decode(jpeg, target) {
      const [width, height] = [[0], [0]];
      if (header(decoder, jpeg, jpeg.length, width, height, [0], [0]) !== 0) {
        throw new Error(errorText(decoder));
      }
      if (width[0] !== target.width || height[0] !== target.height) {
        throw new Error(`it is ${width[0]} x ${height[0]} px and should be ${target.width} x ${target.height}`);
      }
      if (target.data.length < 3 * target.width * target.height) throw new RangeError('the target is too small');
      const status = decompress(decoder, jpeg, jpeg.length, target.data, target.width, 0, target.height, rgb, 0);
      if (status !== 0 && !harmless()) throw new Error(errorText(decoder));
    },
    encode({ data, width, height }, quality) {
      if (data.length < 3 * width * height) throw new RangeError('the source is too small');
      const buffer = Buffer.allocUnsafeSlow(Number(maxBytes(width, height, samplesFull)));
      const bytes = [buffer.length];
      const status = compress(
        ...[encoder, data, width, 0, height, rgb, [buffer], bytes, samplesFull, quality, dontAllocate],
      );
      if (status !== 0) throw new Error(`encoding a JPEG failed: ${errorText(encoder)}`);
      return buffer.subarray(0, Number(bytes[0]));
    },
  };
}
