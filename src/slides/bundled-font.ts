import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../base/index.js';

/** Has text in images drawn in the project's font; fontconfig reads its settings once, when text is first drawn. */
export function useBundledFont(): void {
  const fonts = join(projectRoot, 'node_modules', '@expo-google-fonts', 'source-sans-3');
  if (!existsSync(fonts)) throw new Error(`the font of the images is missing (${fonts}); run: npm run setup`);
  process.env.FONTCONFIG_FILE = join(projectRoot, 'kernel-setup', 'fonts.conf');
}
