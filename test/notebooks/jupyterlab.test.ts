import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/files.js';
import { isRunning } from '../kernel-setup/kernel-client.js';

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
    const page = await openNotebook('11-pretrain-simclr');

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

  it('a person runs cells, sees an error, interrupts, completes and restarts', async () => {
    const sources = [
      "throw new RangeError('on purpose')",
      'await null; while (true) {}',
      'const patchSize = 256; patchSize',
      '',
      "import { spawn } from 'node:child_process';\nconst child = spawn('sleep', ['600']);\n" +
        "console.log('processes', process.ppid, process.pid, child.pid)",
    ];
    const file = join(folder, 'by-hand.ipynb');
    writeFileSync(file, JSON.stringify(notebookOf(sources)));
    const page = await openNotebook('by-hand');
    const textOf = async (cell: number) => (await outputsOf(page, cell)).join('');

    await runCell(page, 0);
    await untilTrue('the error is shown', 60, async () => (await textOf(0)).includes('RangeError: on purpose'));
    expect(await textOf(0)).toMatch(/----> +1 \| throw new RangeError/);

    await runCell(page, 1);
    await untilTrue('the loop runs', 60, async () => (await kernelStatus(page)) === 'busy');
    await execute(page, 'notebook:interrupt-kernel');
    await untilTrue('the loop has ended', 60, async () => (await textOf(1)).includes('Interrupted'));
    await runCell(page, 2);
    await untilTrue('the next cell runs', 60, async () => (await textOf(2)).includes('256'));

    await edit(page, 3);
    await page.keyboard.type('patchS');
    await page.keyboard.press('Tab');
    // One match is put in at once; of several, Enter takes the first of the list.
    const source = () => page.evaluate<string>(`${cellModels}[3].sharedModel.source`);
    const list = page.locator('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item', { hasText: 'patchSize' });
    await untilTrue(
      'the name is offered',
      60,
      async () => (await source()) === 'patchSize' || (await list.count()) > 0,
    );
    await page.screenshot({ path: join(folder, 'completion.png') });
    if ((await source()) !== 'patchSize') await page.keyboard.press('Enter');
    await untilTrue('the name is completed', 60, async () => (await source()) === 'patchSize');

    await runCell(page, 4);
    await untilTrue('the child runs', 60, async () => /processes( \d+){3}/.test(await textOf(4)));
    const processes = (await textOf(4)).match(/\d+/g)!.map(Number);
    expect(processes.map(isRunning)).toEqual([true, true, true]);
    await execute(page, 'notebook:restart-kernel');
    const restart = page.locator('.jp-Dialog button.jp-mod-accept');
    await restart.waitFor({ timeout: 60_000 });
    await page.screenshot({ path: join(folder, 'restart.png') });
    await restart.dispatchEvent('click');
    await untilTrue('no process of the old kernel is left', 60, () => !processes.some(isRunning));
    await untilTrue('the new kernel is ready', 60, async () => (await kernelStatus(page)) === 'idle');
    await execute(page, 'notebook:clear-all-cell-outputs');
    await runCell(page, 3);
    await untilTrue('the variable is gone', 60, async () => (await textOf(3)).includes("Cannot find name 'patchSize'"));
    await runCell(page, 2);
    await untilTrue('cells run again', 60, async () => (await textOf(2)).includes('256'));
    await page.screenshot({ path: join(folder, 'by-hand.png') });

    await page.evaluate('jupyterapp.commands.execute("docmanager:save")');
    // What editors take the language of cells and their colours from.
    expect(JSON.parse(readFileSync(file, 'utf8')).metadata).toMatchObject({
      kernelspec: { name: 'pathlab', display_name: 'TypeScript (pathlab)', language: 'typescript' },
      language_info: {
        ...{ name: 'typescript', file_extension: '.ts', mimetype: 'text/typescript', pygments_lexer: 'typescript' },
        codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
      },
    });
    await page.close();
  }, 600_000);
});

/** A page with this notebook alone: in a workspace of its own, since JupyterLab opens again what a workspace held. */
async function openNotebook(name: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  await page.goto(`${address}/lab/workspaces/${name}/tree/${name}.ipynb?token=${token}`);
  const shown = `window.jupyterapp?.shell.currentWidget?.context?.path === '${name}.ipynb'`;
  await untilTrue(`${name} is open`, 60, () => page.evaluate<boolean>(shown));
  await page.locator('.jp-Notebook .jp-CodeCell').first().waitFor({ timeout: 60_000 });
  await untilTrue('the kernel is ready', 60, async () => (await kernelStatus(page)) === 'idle');
  return page;
}

/** A notebook for the kernel with these code cells. */
function notebookOf(sources: readonly string[]): object {
  const kernelspec = { name: 'pathlab', display_name: 'TypeScript (pathlab)', language: 'typescript' };
  const cells = sources.map((source, index) => ({
    ...{ cell_type: 'code', id: `cell-${index}`, metadata: {}, source, outputs: [], execution_count: null },
  }));
  return { nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells };
}

/** Gives a command without waiting for its end: a restart ends only when its dialog has been answered. */
const execute = (page: Page, command: string): Promise<unknown> =>
  page.evaluate(`void jupyterapp.commands.execute("${command}")`);

/** Puts the cursor into a cell: by JupyterLab's own means, since a click waits for a page that stands still. */
async function edit(page: Page, cell: number): Promise<void> {
  await page.evaluate(`(() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = ${cell};
    notebook.mode = 'edit';
    notebook.activeCell.editor.focus();
  })()`);
  await untilTrue('the cursor is in the cell', 60, () =>
    page.evaluate<boolean>(
      `jupyterapp.shell.currentWidget.content.widgets[${cell}].node.contains(document.activeElement)`,
    ),
  );
}

async function runCell(page: Page, cell: number): Promise<void> {
  await edit(page, cell);
  await page.keyboard.press('Control+Enter');
}

const cellModels = '[...jupyterapp.shell.currentWidget.content.model.cells]';

/** The texts of a cell's outputs. */
async function outputsOf(page: Page, cell: number): Promise<string[]> {
  return page.evaluate(
    `${cellModels}[${cell}].sharedModel.getOutputs().map((output) =>
      [output.text, output.data?.['text/plain'], output.ename && output.ename + ': ' + output.evalue, output.traceback]
        .flat().filter(Boolean).join('\\n'))`,
  );
}

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
