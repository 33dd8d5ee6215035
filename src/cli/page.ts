import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { projectRoot, temporaryName, writeFileAtomic } from '../base/index.js';
import { chartSvg, type VegaLiteSpec, vegaLiteType } from '../report/chart.js';
import { escapeMarkup } from '../report/html.js';
import { notebookTitle } from './notebooks.js';
import { jupyterEnvironment, pythonProgram } from './papermill.js';

const templates = join(projectRoot, 'kernel-setup', 'python', 'page-templates');
const largestPage = 1024 ** 3; // bytes

interface Output {
  data?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

/**
 * Renders an executed notebook to one self-contained HTML file: images inside, no script, no request. Code is folded;
 * charts are SVG and images WebP.
 *
 * @param options.gallery relative URL of the gallery, if the page is in it
 * @throws Error with nbconvert's message if it fails
 */
export async function writePage(notebook: string, page: string, options: { gallery?: string } = {}): Promise<void> {
  const light = `${temporaryName(notebook)}.ipynb`;
  try {
    await writeFileAtomic(light, JSON.stringify(await withLightImages(notebook)));
    const { stdout } = await promisify(execFile)(
      pythonProgram('jupyter-nbconvert'),
      [
        ...['--to', 'html', '--stdout', '--log-level', 'ERROR', '--template', 'pathlab'],
        `--TemplateExporter.extra_template_basedirs=${templates}`,
        light,
      ],
      { env: jupyterEnvironment(), maxBuffer: largestPage },
    );
    // nbconvert would use the file name, which is always "notebook", as the title.
    const title = escapeMarkup(notebookTitle(notebook) ?? 'notebook');
    const back = options.gallery ? `<a href="${escapeMarkup(options.gallery)}">all results</a>` : '';
    await writeFileAtomic(
      page,
      stdout
        .replace(/<title>.*?<\/title>/s, () => `<title>${title}</title>`)
        .replace('<!-- gallery -->', () => back)
        .replace('<!-- contents -->', () => contentsOf(stdout)),
    );
  } finally {
    await rm(light, { force: true });
  }
}

/** A table of contents: the page's second-level headings. */
function contentsOf(page: string): string {
  const items = [...page.matchAll(/<h2 id="([^"]*)">(.*?)<a class="anchor-link"/gs)].map(
    ([, id, text]) => `<li><a href="#${id}">${text}</a></li>`,
  );
  return items.length > 1 ? `<nav aria-label="Contents"><ol>${items.join('')}</ol></nav>` : '';
}

/** An executed notebook, with the URL of a smaller image in the metadata of each output that has a PNG. */
async function withLightImages(path: string): Promise<object> {
  const notebook = JSON.parse(await readFile(path, 'utf8')) as { cells: { outputs?: Output[] }[] };
  for (const output of notebook.cells.flatMap(({ outputs = [] }) => outputs)) {
    if (output.data?.['image/png'] === undefined) continue;
    const png = [output.data['image/png']].flat().join('');
    const spec = output.data[vegaLiteType] as VegaLiteSpec | undefined;
    // An image that cannot be reduced is kept.
    const src = await (spec ? chartSrc(spec, png) : asWebp(png)).catch(() => undefined);
    if (src) output.metadata = { ...output.metadata, pathlab: { src } };
  }
  return notebook;
}

/** A chart with thousands of marks is smaller as an image. */
const maxSvg = 300_000; // letters

async function chartSrc(spec: VegaLiteSpec, png: string): Promise<string> {
  const svg = await chartSvg(spec);
  return svg.length > maxSvg ? asWebp(png) : `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}

async function asWebp(png: string): Promise<string> {
  const webp = await sharp(Buffer.from(png, 'base64')).webp({ quality: 88 }).toBuffer();
  return `data:image/webp;base64,${webp.toString('base64')}`;
}
