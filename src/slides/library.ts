import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { projectRoot } from '../base/index.js';

/** A C function bound by koffi: called as it is on this thread, or through `async` on a thread of its own. */
interface Bound<Result> {
  (...values: unknown[]): Result;
  async(...values: unknown[]): void;
}

export interface OpenSlideLibrary {
  /** The functions of openslide.h that are used here, without their prefix. */
  detectVendor: Bound<string | null>;
  open: Bound<unknown>;
  close: Bound<void>;
  error: Bound<string | null>;
  levelCount: Bound<number>;
  levelDimensions: Bound<void>;
  levelDownsample: Bound<number>;
  readRegion: Bound<void>;
  propertyNames: Bound<unknown>;
  propertyValue: Bound<string | null>;
  associatedImageNames: Bound<unknown>;
  associatedImageDimensions: Bound<void>;
  readAssociatedImage: Bound<void>;
  createCache: Bound<unknown>;
  setCache: Bound<void>;
  /** Reads a NULL-terminated array of C strings. */
  strings(pointer: unknown): string[];
}

let loaded: OpenSlideLibrary | undefined;

/** OpenSlide's C library, loaded on first use. */
export function openSlideLibrary(): OpenSlideLibrary {
  loaded ??= load(findOpenSlide());
  return loaded;
}

/**
 * Path of libopenslide: PATHLAB_OPENSLIDE if set, else the one in the openslide-bin package of the project's Python
 * environment.
 *
 * @throws Error that says where it looked and how to get the library
 */
export function findOpenSlide(root = projectRoot, asked = process.env.PATHLAB_OPENSLIDE): string {
  if (asked) {
    if (existsSync(asked)) return asked;
    throw new Error(`PATHLAB_OPENSLIDE names ${asked}, which does not exist; correct or unset it`);
  }
  const libraries = join(root, '.venv', 'lib');
  const pythons = existsSync(libraries) ? readdirSync(libraries).filter((name) => name.startsWith('python')) : [];
  for (const python of pythons) {
    for (const name of ['libopenslide.so.1', 'libopenslide.1.dylib']) {
      const path = join(libraries, python, 'site-packages', 'openslide_bin', name);
      if (existsSync(path)) return path;
    }
  }
  throw new Error(
    `OpenSlide's library is not in ${join(libraries, 'python*', 'site-packages', 'openslide_bin')}; ` +
      'run "npm run setup", or set PATHLAB_OPENSLIDE to a libopenslide of your own',
  );
}

function load(path: string): OpenSlideLibrary {
  // koffi is CommonJS with a native addon: required here so that importing pathlab does not load it.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(path);
  } catch (error) {
    throw new Error(`OpenSlide's library ${path} does not load: ${(error as Error).message}`);
  }
  const bind = <Result>(declaration: string) => library.func(declaration) as unknown as Bound<Result>;
  return {
    detectVendor: bind('const char *openslide_detect_vendor(const char *path)'),
    open: bind('void *openslide_open(const char *path)'),
    close: bind('void openslide_close(void *slide)'),
    error: bind('const char *openslide_get_error(void *slide)'),
    levelCount: bind('int32_t openslide_get_level_count(void *slide)'),
    levelDimensions: bind(
      'void openslide_get_level_dimensions(void *slide, int32_t level, _Out_ int64_t *width, _Out_ int64_t *height)',
    ),
    levelDownsample: bind('double openslide_get_level_downsample(void *slide, int32_t level)'),
    readRegion: bind(
      'void openslide_read_region(void *slide, void *pixels, int64_t x, int64_t y, int32_t level, int64_t width, int64_t height)',
    ),
    propertyNames: bind('void *openslide_get_property_names(void *slide)'),
    propertyValue: bind('const char *openslide_get_property_value(void *slide, const char *name)'),
    associatedImageNames: bind('void *openslide_get_associated_image_names(void *slide)'),
    associatedImageDimensions: bind(
      'void openslide_get_associated_image_dimensions(void *slide, const char *name, _Out_ int64_t *width, _Out_ int64_t *height)',
    ),
    readAssociatedImage: bind('void openslide_read_associated_image(void *slide, const char *name, void *pixels)'),
    createCache: bind('void *openslide_cache_create(size_t capacity)'),
    setCache: bind('void openslide_set_cache(void *slide, void *cache)'),
    strings(pointer) {
      const found: string[] = [];
      for (let offset = 0; pointer; offset += koffi.sizeof('void *')) {
        const text = koffi.decode(pointer, offset, 'const char *') as string | null;
        if (text === null) break;
        found.push(text);
      }
      return found;
    },
  };
}
