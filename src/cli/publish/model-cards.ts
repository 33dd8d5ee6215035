import { createRequire } from 'node:module';
import { disposeTensors } from '../../engine/index.js';
import { isFineTuning, isPretraining, keepsModel, keptFineTunings } from '../../experiments/index.js';
import { galleryStyle } from '../../report/gallery-style.js';
import { escapeMarkup } from '../../report/html.js';
import { modelCard } from '../../report/index.js';
import type { Metric } from '../../runs/index.js';
import { fineTunedExport } from '../export-fine-tuned.js';
import { pretrainedExport } from '../export-pretrained.js';
import type { Exported } from '../exported-model.js';
import { type FinishedRun, fineTuningOf, readOfRun } from '../finished-run.js';

/** A model card of a site, beside the run's page. */
export interface PublishedCard {
  /** File name without its ending. */
  name: string;
  /** What the card is of, for links. */
  label: string;
  markdown: string;
}

/** Where a site has a weights file, from its folder. */
export const weightsPath = (sha256: string) => `weights/${sha256}.safetensors`;

/**
 * The cards of a run's models: of a pretraining run its backbone's, of a fine-tuning run one for each arm that keeps a
 * model; none of a run that trains nothing.
 *
 * @param withWeights whether the site has the weights, which the card then links to
 */
export async function modelCards(run: FinishedRun, withWeights: boolean): Promise<PublishedCard[]> {
  if (isPretraining(run.notebook)) {
    const card = await cardOf(run, await pretrainedExport(run), ['backbone.safetensors'], withWeights);
    return [{ name: 'model-card', label: 'model card', markdown: card }];
  }
  if (!isFineTuning(run.notebook)) return [];
  const experiment = fineTuningOf(run);
  const cards: PublishedCard[] = [];
  for (const { arm, name } of keptFineTunings(run.folder).filter((each) => keepsModel(experiment, each))) {
    const files = ['backbone', 'head'].map((part) => `models/${name}/${part}.safetensors`);
    const markdown = await cardOf(run, await fineTunedExport(run, arm), files, withWeights);
    cards.push({ name: `model-card-${name.replace(/[^\w.-]+/g, '-')}`, label: `model card, ${arm}`, markdown });
  }
  return cards;
}

async function cardOf(run: FinishedRun, exported: Exported, files: readonly string[], withWeights: boolean) {
  const digests = files.map((file) => [file, run.files[file]!] as const);
  const linked = digests.map(([file, sha256]) => [
    withWeights ? `[${file}](../../${weightsPath(sha256)})` : `${file} (not published)`,
    sha256,
  ]);
  const { model, fineTuned } = exported.model;
  try {
    return modelCard({
      ...{ run, ...exported, library: 'pathlab', loading: loadingOf(digests) },
      metrics: readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json').metrics,
      sha256: Object.fromEntries(linked),
    });
  } finally {
    for (const each of new Set([model, fineTuned?.model])) if (each) disposeTensors(each.parameters, each.state);
  }
}

const loadingOf = (
  digests: readonly (readonly [file: string, sha256: string])[],
) => `from safetensors.torch import load_file

# Tensors by timm's or torchvision's names, in PyTorch's layout.
${digests.map(([file, sha256]) => `${/(\w+)\.\w+$/.exec(file)![1]} = load_file('${sha256}.safetensors')`).join('\n')}`;

interface Renderer {
  render(markdown: string): string;
}

/** A Markdown text as a page in the gallery's style. Markup in the text is shown as text. */
export function markdownPage(markdown: string, back: { label: string; href: string }): string {
  const MarkdownIt = createRequire(import.meta.url)('markdown-it') as new (options: object) => Renderer;
  const text = markdown.replace(/^---\n[\s\S]*?\n---\n/, '');
  const title = /^# (.*)$/m.exec(text)?.[1] ?? 'pathlab';
  const body = new MarkdownIt({ html: false })
    .render(text)
    .replaceAll('<table>', '<div class="wide"><table>')
    .replaceAll('</table>', '</table></div>');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeMarkup(title)}</title>
<style>${galleryStyle}${textStyle}</style>
</head>
<body>
<p><a href="${escapeMarkup(back.href)}">${escapeMarkup(back.label)}</a></p>
<main class="text">
${body}
</main>
</body>
</html>
`;
}

const textStyle = `
main.text { display: block; max-width: 60rem; }
.text h2 { margin: 2rem 0 .5rem; } .text p, .text li { overflow-wrap: anywhere; }
.text pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; }
.wide { overflow-x: auto; } .text th, .text td { text-align: left; white-space: normal; vertical-align: top;
  overflow-wrap: anywhere; min-width: 7.5rem; border-bottom: 1px solid var(--line); }
.text thead:not(:has(th:not(:empty))) { display: none; } .text th:first-child { min-width: 7.5rem; }
`;
