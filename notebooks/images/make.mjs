/**
 * Makes the README's image from an executed page, as Chromium shows it, without the code between the outputs:
 *
 *     node notebooks/images/make.mjs results/runs/11-pretrain-simclr-demo-0a1b2c3d
 */
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import sharp from 'sharp';

const here = dirname(fileURLToPath(import.meta.url));
const [run] = process.argv.slice(2);
const page = run && join(resolve(run), 'notebook.html');
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
if (!page || !existsSync(page)) throw new Error('give the folder of a run that has a page (notebook.html)');
if (!executablePath) throw new Error('this needs Chromium');

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const tab = await browser.newPage({
    viewport: { width: 860, height: 900 },
    deviceScaleFactor: 1.5,
  });
  await tab.goto(pathToFileURL(page).href, { waitUntil: 'load' });
  await tab.addStyleTag({
    content: '.code, .bar, nav { display: none !important; }',
  });
  const top = await tab.getByRole('heading', { name: 'Views' }).boundingBox();
  const bottom = await tab.getByRole('heading', { name: 'Evaluation' }).boundingBox();
  const margin = 16;
  const clip = { x: 0, y: top.y - margin, width: 860, height: bottom.y - top.y };
  const shot = await tab.screenshot({ fullPage: true, clip });
  const image = await sharp(shot).png({ palette: true, colors: 192, effort: 10 }).toBuffer();
  writeFileSync(join(here, 'simclr-demo.png'), image);
} finally {
  await browser.close();
}
