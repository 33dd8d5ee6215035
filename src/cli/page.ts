import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { escapeMarkup } from '../report/html.js';
import { projectRoot, writeFileAtomic } from '../runs/index.js';
import { notebookTitle } from './notebooks.js';
import { jupyterEnvironment, pythonProgram } from './papermill.js';

const templates = join(projectRoot, 'kernel-setup', 'python', 'page-templates');
const largestPage = 1024 ** 3; // bytes

/**
 * Renders an executed notebook to one HTML file that needs nothing else: pictures inside, no script, no request.
 *
 * @throws Error with nbconvert's own words if it fails
 */
export async function writePage(notebook: string, page: string): Promise<void> {
  const { stdout } = await promisify(execFile)(
    pythonProgram('jupyter-nbconvert'),
    [
      ...['--to', 'html', '--stdout', '--log-level', 'ERROR', '--template', 'pathlab'],
      `--TemplateExporter.extra_template_basedirs=${templates}`,
      notebook,
    ],
    { env: jupyterEnvironment(), maxBuffer: largestPage },
  );
  // nbconvert would name the page after the file, and every one is called notebook.
  const title = escapeMarkup(notebookTitle(notebook) ?? 'notebook');
  await writeFileAtomic(
    page,
    stdout.replace(/<title>.*?<\/title>/s, () => `<title>${title}</title>`),
  );
}
