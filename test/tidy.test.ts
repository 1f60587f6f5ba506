/**
 * The rules of the house as tests: who may import whom, what the core may not touch, how long a file may be, which words are
 * not used as names. Each failure says what to do instead. Source of the rules: docs/contributing.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

interface Source {
  /** Path from the repository's root, such as src/core/mesh.ts. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function sources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(root, path), 'utf8');
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
    });
}

const src = sources('src');

/** What each part of src/ may import of the others; a part may always import itself. */
const SHELL = ['core', 'wire', 'errors', 'config', 'port'];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ['cli'],
  index: ['node', 'core', 'config', 'errors', 'api'],
  cli: ['node', 'sim', 'config', 'errors'],
  node: ['core', 'wire', 'links', 'gateway', 'scripting', 'api', 'console', 'ops', 'config', 'errors'],
  core: ['errors'],
  wire: ['core', 'errors'],
  config: ['errors'],
  errors: [],
  port: ['errors'],
  console: [],
  links: SHELL,
  gateway: SHELL,
  scripting: SHELL,
  api: SHELL,
  ops: SHELL,
  sim: SHELL,
};

/** The part of src/ that a path belongs to: its folder, or its file name at the top. */
function partOf(path: string): string {
  return relative('src', path).split('/')[0].replace(/\.ts$/, '');
}

function importsOf({ tree }: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text);
    }
    if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments.length > 0
    ) {
      found.push(node.arguments[0].getText(tree).replace(/['"]/g, ''));
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

t.test('every part imports only what it may', async (t) => {
  for (const source of src) {
    const part = partOf(source.path);
    const allowed = ALLOWED[part];
    t.ok(
      allowed,
      `${source.path}: "${part}" is no part of src/; put it into one, or add the part to DESIGN and to this test`,
    );
    for (const name of importsOf(source)) {
      if (!name.startsWith('.')) continue;
      const target = partOf(join(dirname(source.path), name.replace(/\.js$/, '.ts')));
      if (target !== part && !allowed?.includes(target)) {
        t.fail(
          `${source.path} imports ${target}: ask for a role (an interface beside you) and let node.ts connect the two`,
        );
      }
    }
  }
});

/** What the core may not use, and what to use instead. */
const CORE_BANS: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/, 'Clock.now()'],
  [/\bMath\.random\b/, 'the Random port'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'Clock.after() or Clock.endOfTurn()'],
  [/\b(performance|process|console|globalThis)\b\./, 'a port'],
  [/\basync\b|\bawait\b|\bnew Promise\b|\bPromise[.<]/, 'a callback: the core is synchronous'],
  [/\.(localeCompare|toLocale\w+)\b|\bIntl\b/, 'a comparison with < and >'],
];

/** Packages without any input or output that the core may use. */
const CORE_PACKAGES = ['hashring'];

t.test('the core is pure', async (t) => {
  for (const source of src.filter((s) => partOf(s.path) === 'core')) {
    for (const name of importsOf(source)) {
      if (!name.startsWith('.') && !CORE_PACKAGES.includes(name))
        t.fail(`${source.path} imports ${name}: the core reaches the world through ports.ts`);
    }
    const code = withoutComments(source);
    for (const [ban, instead] of CORE_BANS) {
      const hit = ban.exec(code);
      if (hit) t.fail(`${source.path} uses ${hit[0]}: use ${instead}`);
    }
  }
});

/** The text with comments and string contents blanked. */
function withoutComments({ tree, text }: Source): string {
  let code = '';
  const scanner = ts.createScanner(ts.ScriptTarget.ES2022, false, ts.LanguageVariant.Standard, text);
  void tree;
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const hidden =
      kind === ts.SyntaxKind.SingleLineCommentTrivia ||
      kind === ts.SyntaxKind.MultiLineCommentTrivia ||
      kind === ts.SyntaxKind.StringLiteral ||
      kind === ts.SyntaxKind.NoSubstitutionTemplateLiteral;
    code += hidden ? ' ' : scanner.getTokenText();
  }
  return code;
}

t.test('files and functions stay small', async (t) => {
  for (const source of src) {
    const lines = source.text.split('\n').length - 1;
    if (lines > 400) t.fail(`${source.path} has ${lines} lines, more than 400: give a noun in it a file of its own`);
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body) {
        const start = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line;
        const end = source.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
        if (end - start + 1 > 70)
          t.fail(
            `${source.path}:${start + 1} has a function of ${end - start + 1} lines, more than 70: name its steps`,
          );
      }
      ts.forEachChild(node, visit);
    };
    visit(source.tree);
  }
});

const NOT_NAMES = /(^|-)(manager|handler|helper|helpers|util|utils|data|info|broker|room|worker|hub|bus)(-|$)/;

t.test('files are named after one noun of the glossary, and say what lives in them', async (t) => {
  for (const source of src) {
    const name = source.path.split('/').at(-1)?.replace(/\.ts$/, '') ?? '';
    if (NOT_NAMES.test(name)) t.fail(`${source.path}: "${name}" says nothing; name the one thing that lives here`);
    if (!/^(#!.*\n)?\/\*\*/.test(source.text))
      t.fail(`${source.path} opens without the lines that tell a newcomer what lives here`);
  }
});

t.test('nothing is left open, switched off or tied to one machine', async (t) => {
  for (const source of [...src, ...sources('test')]) {
    if (source.path.endsWith('tidy.test.ts')) continue;
    const code = source.text;
    for (const [ban, instead] of [
      [/\b(TODO|FIXME|XXX)\b/, 'do it, or open an issue'],
      [/\bt\.only\(|\.only\(\)/, 'run all tests'],
      [/(^|[^A-Za-z])\/(work|root)\//, 'a path from the repository or a temporary folder'],
    ] as const) {
      if (ban.test(code)) t.fail(`${source.path} has ${ban.exec(code)?.[0].trim()}: ${instead}`);
    }
  }
});
