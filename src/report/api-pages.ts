import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { join } from 'node:path';
import type { SignatureReflection } from 'typedoc';
import { projectRoot, sha256OfTree, temporaryName } from '../base/index.js';

/** TypeDoc asks for TypeScript's JavaScript API, which TypeScript 7 does not have; the kernel's TypeScript 5.0 does. */
const useKernelTypeScript = `export const resolve = (name, context, next) =>
  next(name === 'typescript' ? '@tslab/typescript-for-tslab' : name, context);`;

/** Names wrap on a phone; the members of a class stand below it, smaller than it. */
const style = `
.tsd-member-summary-name { flex-wrap: wrap; overflow-wrap: anywhere; }
.tsd-member .tsd-member { margin-left: 1.25rem; }
.tsd-member .tsd-member h3 { font-size: 1rem; margin: .5rem 0; }
`;

/**
 * Writes `results/api/`: a page for each room, made from the docstrings in the package's declarations, or nothing if the
 * pages there were made from the same ones.
 *
 * @returns the path of the page that the others are reached from
 */
export async function writeApiPages({ root = projectRoot }: { root?: string } = {}): Promise<string> {
  const declarations = join(projectRoot, 'dist');
  const folder = join(root, 'results', 'api');
  const made = join(folder, 'made-from');
  const digest = sha256OfTree(declarations, (name) => /\.d\.ts$|^report\/api-pages\.js$/.test(name));
  const page = join(folder, 'index.html');
  if (existsSync(made) && readFileSync(made, 'utf8') === digest) return page;
  const built = temporaryName(folder);
  try {
    await mkdir(built, { recursive: true });
    await generate(declarations, built);
    await writeFile(join(built, 'made-from'), digest);
    await rm(folder, { recursive: true, force: true });
    await rename(built, folder);
  } finally {
    await rm(built, { recursive: true, force: true });
  }
  return page;
}

async function generate(declarations: string, folder: string): Promise<void> {
  register(`data:text/javascript,${encodeURIComponent(useKernelTypeScript)}`);
  const { Application, Converter, DefaultTheme, JSX, LogLevel, PageKind, ReflectionKind, StructureRouter } =
    await import('typedoc');
  // The whole comes last: what it exports is described on the pages of its rooms, and it links to them.
  const rooms = readdirSync(declarations).filter((name) => existsSync(join(declarations, name, 'index.d.ts')));
  const entryPoints = [...rooms, '.'].map((room) => join(declarations, room, 'index.d.ts'));
  const app = await Application.bootstrap({
    name: 'pathlab',
    entryPoints,
    tsconfig: join(projectRoot, 'tsconfig.json'),
    compilerOptions: { rootDir: declarations },
    router: 'rooms',
    theme: 'rooms',
    useFirstParagraphOfCommentAsSummary: true,
    readme: 'none',
    navigationLinks: { 'all results': '../index.html' },
    sort: ['alphabetical'],
    includeHierarchySummary: false,
    navigation: { includeFolders: false },
    disableSources: true,
    skipErrorChecking: true,
    hideGenerator: true,
    githubPages: false,
    logLevel: LogLevel.Error,
  });
  app.options.setCompilerOptions(entryPoints, app.options.getCompilerOptions(app.logger), []);
  class RoomRouter extends StructureRouter {
    override getPageKind(target: Parameters<InstanceType<typeof StructureRouter>['getPageKind']>[0]) {
      return 'kind' in target && target.kind === ReflectionKind.Module ? PageKind.Reflection : undefined;
    }

    override getIdealBaseName(target: { name: string }) {
      return target.name.replace('pathlab/', '');
    }
  }
  class RoomTheme extends DefaultTheme {
    override getRenderContext(page: Parameters<InstanceType<typeof DefaultTheme>['getRenderContext']>[0]) {
      const context = super.getRenderContext(page);
      const { moduleReflection, memberDeclaration, memberSignatures, commentShortSummary } = context;
      // A room shows all that it exports in full; the whole, a line of each.
      context.moduleReflection = (room) =>
        room.children?.some((child) => !child.isReference() && child.kind !== ReflectionKind.Module)
          ? JSX.createElement(
              JSX.Fragment,
              null,
              context.commentSummary(room),
              context.index(room),
              context.members(room),
            )
          : moduleReflection(room);
      context.memberDeclaration = (item) =>
        item.kindOf(ReflectionKind.ClassOrInterface)
          ? JSX.createElement(
              JSX.Fragment,
              null,
              context.commentSummary(item),
              item.typeParameters && context.typeParameters(item.typeParameters),
              context.commentTags(item),
            )
          : memberDeclaration(item);
      context.memberSignatures = (item) =>
        JSX.createElement(
          JSX.Fragment,
          null,
          item.typeParameters && context.typeParameters(item.typeParameters),
          memberSignatures(item),
        );
      context.commentShortSummary = (item) =>
        commentShortSummary(item.isReference() ? item.getTargetReflectionDeep() : item);
      return context;
    }
  }
  app.renderer.defineRouter('rooms', RoomRouter);
  app.renderer.defineTheme('rooms', RoomTheme);
  app.renderer.hooks.on('head.end', () =>
    JSX.createElement('style', null, JSX.createElement(JSX.Raw, { html: style })),
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // A parameter that is taken apart has no name of its own; docstrings call it options.
    for (const { parameters = [] } of project.getReflectionsByKind(
      ReflectionKind.SomeSignature,
    ) as SignatureReflection[]) {
      for (const parameter of parameters.filter(({ name }) => name === '__namedParameters')) {
        const { type } = parameter;
        parameter.name = type?.type === 'reference' ? type.name[0]!.toLowerCase() + type.name.slice(1) : 'options';
      }
    }
    // What a class inherits from elsewhere, as Error's own members.
    for (const member of project.getReflectionsByKind(ReflectionKind.ClassMember)) {
      if (member.flags.isExternal) project.removeReflection(member);
    }
  });
  const project = await app.convert();
  if (!project) throw new Error('the API pages cannot be made: TypeDoc cannot read the declarations in dist/');
  for (const room of project.children ?? []) room.name = room.name === 'index' ? 'pathlab' : `pathlab/${room.name}`;
  await app.generateDocs(project, folder);
}
