import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/runs/files.js';

const browserPath = [
  process.env.PATHLAB_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path && existsSync(path));
const token = 'a-token-for-this-test-only';

let folder: string;
let server: ChildProcess;
let serverLog = '';
let browser: Browser;
let address: string;

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** A copy of the notebook whose scale is smoke and whose run folder is a temporary one. */
function copyNotebook(name: string): void {
  const notebook = JSON.parse(readFileSync(join(projectRoot, 'notebooks', `${name}.ipynb`), 'utf8')) as {
    cells: { source: string | string[]; metadata: { tags?: string[] } }[];
  };
  const parameters = notebook.cells.find((cell) => cell.metadata.tags?.includes('parameters'))!;
  const text = [parameters.source].flat().join('');
  parameters.source = `${text}\nscale = 'smoke';\nout = ${JSON.stringify(join(folder, 'run'))};`;
  writeFileSync(join(folder, `${name}.ipynb`), JSON.stringify(notebook));
}

async function untilTrue(what: string, seconds: number, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s\n${serverLog.slice(-3000)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe.skipIf(!browserPath)('JupyterLab in Chromium (needs Chromium)', () => {
  beforeAll(async () => {
    // Inside the project, as a user's notebooks are: there the kernel finds the packages' types.
    mkdirSync(join(projectRoot, 'results'), { recursive: true });
    folder = mkdtempSync(join(projectRoot, 'results', 'jupyterlab-test-'));
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    const options = [
      '--no-browser',
      '--allow-root',
      '--LabApp.expose_app_in_browser=True',
      '--ServerApp.ip=127.0.0.1',
      `--ServerApp.port=${port}`,
      // Should these tests be killed, it ends by itself.
      '--MappingKernelManager.cull_idle_timeout=300',
      '--MappingKernelManager.cull_interval=60',
      '--ServerApp.shutdown_no_activity_timeout=600',
    ];
    server = spawn(
      join(projectRoot, '.venv', 'bin', 'jupyter'),
      [
        'lab',
        ...options,
        '--ServerApp.port_retries=0',
        `--IdentityProvider.token=${token}`,
        `--ServerApp.root_dir=${folder}`,
      ],
      { cwd: folder, env: { ...process.env, JUPYTER_CONFIG_DIR: join(folder, 'config'), HOME: folder } },
    );
    for (const stream of [server.stdout!, server.stderr!]) stream.on('data', (text) => (serverLog += text));
    await untilTrue('JupyterLab answers', 60, () =>
      fetch(`${address}/api/status?token=${token}`).then(
        (response) => response.ok,
        () => false,
      ),
    );
    browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    if (server && server.exitCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      await fetch(`${address}/api/shutdown?token=${token}`, { method: 'POST' }).catch(() => server.kill('SIGKILL'));
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('Run All works, and the Vega-Lite chart is live while the network trains', async () => {
    copyNotebook('11-pretrain-simclr');
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    await page.goto(`${address}/lab/tree/11-pretrain-simclr.ipynb?token=${token}`);
    await page.locator('.jp-Notebook .jp-CodeCell').first().waitFor({ timeout: 60_000 });
    await untilTrue('the kernel is ready', 60, async () => (await kernelStatus(page)) === 'idle');

    const drawnWhileBusy = watchForLiveChart(page);
    await page.evaluate('jupyterapp.commands.execute("notebook:run-all-cells")');
    await untilTrue('every cell has run', 180, async () => {
      const counts = await promptsOf(page);
      return counts.length > 0 && counts.every((prompt) => /\d/.test(prompt)) && (await kernelStatus(page)) === 'idle';
    });

    expect(await errorsOf(page)).toEqual([]);
    expect(await drawnWhileBusy()).toBe(true);
    await page.screenshot({ path: join(folder, 'end.png') });
    expect(existsSync(join(folder, 'run', 'metrics.json'))).toBe(true);
    await page.evaluate('jupyterapp.commands.execute("docmanager:save")');
    await page.close();
  }, 300_000);
});

async function kernelStatus(page: Page): Promise<string> {
  return page.evaluate('jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status ?? "unknown"');
}

/** The execution prompts of the code cells, from the notebook's model: the page itself draws only cells in view. */
async function promptsOf(page: Page): Promise<string[]> {
  return page.evaluate(
    `[...jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === 'code' && cell.sharedModel.source.trim())
      .map((cell) => String(cell.executionCount ?? '*'))`,
  );
}

async function errorsOf(page: Page): Promise<string[]> {
  return page.evaluate(
    `[...jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === 'code')
      .flatMap((cell) => cell.sharedModel.getOutputs()).filter((output) => output.output_type === 'error')
      .map((output) => output.ename + ': ' + output.evalue)`,
  );
}

/** Whether a Vega chart was on the page while the kernel was busy and its model changed under the running cell. */
function watchForLiveChart(page: Page): () => Promise<boolean> {
  const started = page.evaluate(`window.pathlabChart = new Promise((resolve) => {
    const seen = new Set();
    const timer = setInterval(() => {
      const notebook = jupyterapp.shell.currentWidget.content;
      const running = notebook.widgets.find((cell) => cell.model.type === 'code' && cell.promptNode?.textContent === '[*]:'
        && cell.model.sharedModel.getOutputs().some((output) => output.data?.['application/vnd.vegalite.v5+json']));
      if (!running) return;
      notebook.scrollToItem(notebook.widgets.indexOf(running));
      if (!running.node.querySelector('.vega-embed canvas, .vega-embed svg')) return;
      seen.add(JSON.stringify(running.model.sharedModel.getOutputs()).length);
      if (seen.size >= 2) { clearInterval(timer); resolve(true); }
    }, 100);
    setTimeout(() => { clearInterval(timer); resolve(false); }, 200000);
  }); 0`);
  return async () => {
    await started;
    return page.evaluate<boolean>(
      'Promise.race([window.pathlabChart, new Promise((resolve) => setTimeout(() => resolve(false), 2000))])',
    );
  };
}
