// Opens every page of a folder that links lead to from index.html in Chromium, over HTTP.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const screens = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

/**
 * @param {string} folder
 * @returns {Promise<{ pages: number, problems: string[] }>} how many pages, and what is wrong: requests that fail, errors of
 *   scripts, links and anchors that lead nowhere, pages wider than the screen
 */
export async function browse(folder) {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url, 'http://site').pathname));
    if (!existsSync(path) || statSync(path).isDirectory()) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    response.end(readFileSync(path));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${server.address().port}/`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const problems = [];
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
    page.on('response', (response) => {
      // Browsers ask for an icon by themselves.
      const isWanted = !response.url().endsWith('/favicon.ico');
      if (isWanted && response.status() >= 400) problems.push(`${page.url()} asks for ${response.url()}`);
    });
    const pages = await crawl(page, base, problems);
    for (const viewport of screens) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        for (const address of pages) {
          await page.goto(base + address);
          const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (excess > 0) problems.push(`${address}, ${viewport.width} px, ${colorScheme}: ${excess} px too wide`);
        }
      }
    }
    return { pages: pages.length, problems };
  } finally {
    await browser.close();
    server.close();
  }
}

async function crawl(page, base, problems) {
  const [seen, pages] = [new Set(['index.html']), []];
  for (const address of seen) {
    if (!address.endsWith('.html')) {
      const { ok } = await fetch(base + address);
      if (!ok) problems.push(`${address} is not there`);
      continue;
    }
    pages.push(address);
    await page.goto(base + address);
    const { links, lost } = await page.evaluate(() => {
      const anchors = [...document.querySelectorAll('a[href]')];
      const own = anchors.filter((anchor) => anchor.getAttribute('href').startsWith('#') && anchor.hash.length > 1);
      const isThere = (id) => document.getElementById(id) || document.getElementsByName(id).length > 0;
      const ids = own.map((anchor) => decodeURIComponent(anchor.hash.slice(1)));
      return { links: anchors.map((anchor) => anchor.href), lost: ids.filter((id) => !isThere(id)) };
    });
    for (const id of lost) problems.push(`${address} has no place ${id}`);
    for (const link of links) if (link.startsWith(base)) seen.add(link.slice(base.length).split(/[#?]/)[0]);
  }
  return pages;
}
