import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const name = 'pathlab_papermill';
const version = '0.1.0';

/**
 * Puts the papermill module into a Python environment, with the metadata by which papermill finds it. The metadata is
 * written here because building a package would need a build backend from the network.
 *
 * @param {{ sitePackages: string }} options the environment's site-packages folder
 * @returns {boolean} whether anything had to be written
 */
export function installPapermillModule({ sitePackages }) {
  const files = new Map();
  const source = fileURLToPath(new URL(name, import.meta.url));
  for (const file of readdirSync(source)) {
    if (file.endsWith('.py')) files.set(`${name}/${file}`, readFileSync(join(source, file)));
  }
  const info = `${name}-${version}.dist-info`;
  const text = (...lines) => Buffer.from(`${lines.join('\n')}\n`);
  files.set(
    `${info}/METADATA`,
    text('Metadata-Version: 2.1', `Name: ${name.replace('_', '-')}`, `Version: ${version}`),
  );
  files.set(`${info}/INSTALLER`, text('pathlab'));
  files.set(`${info}/entry_points.txt`, text('[papermill.engine]', `pathlab = ${name}:PathlabEngine`));
  const record = [...files].map(([path, content]) => `${path},sha256=${digest(content)},${content.length}`);
  files.set(`${info}/RECORD`, text(...record, `${info}/RECORD,,`));

  const wanted = [...files].every(([path, content]) => {
    const present = join(sitePackages, path);
    return existsSync(present) && readFileSync(present).equals(content);
  });
  if (wanted) return false;
  // The metadata is what makes Python see the module: gone first, back last, so that it never points at half of it.
  rmSync(join(sitePackages, info), { recursive: true, force: true });
  replaceFolder(join(sitePackages, name), files, `${name}/`);
  replaceFolder(join(sitePackages, info), files, `${info}/`);
  return true;
}

function digest(content) {
  return createHash('sha256').update(content).digest('base64url');
}

function replaceFolder(folder, files, prefix) {
  const partial = join(dirname(folder), `.${process.pid}.partial`);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  for (const [path, content] of files) {
    if (path.startsWith(prefix)) writeFileSync(join(partial, path.slice(prefix.length)), content);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
}
