// Finds exported values that no other file of the program imports. Types are ignored, because exported signatures use them.

import { dirname, join } from 'node:path';
import ts from 'typescript';

/** The exports of one file, and its imports from other files. */
interface FileNames {
  readonly exported: readonly string[];
  /** As `PATH NAME`; `*` for all names of a file. */
  readonly imported: readonly string[];
}

/** Returns the unused exports of files, parsed with parents; those of `doors` are for users of a library, and are ignored. */
export function unusedExports(
  sources: ReadonlyMap<string, ts.SourceFile>,
  doors: readonly string[],
): string[] {
  const files = [...sources].map(([path, source]) => [path, readNames(path, source)] as const);
  const imported = new Set(files.flatMap(([, names]) => names.imported));
  return files
    .filter(([path]) => !doors.includes(path))
    .flatMap(([path, { exported }]) => exported.map((name) => `${path} ${name}`))
    .filter((each) => !imported.has(each) && !imported.has(each.replace(/ .*/u, ' *')));
}

function readNames(path: string, source: ts.SourceFile): FileNames {
  const imported: string[] = [];
  const walk = (node: ts.Node): void => {
    imported.push(...importsOf(node).map(([from, name]) => `${fileOf(join(dirname(path), from))} ${name}`));
    ts.forEachChild(node, walk);
  };
  walk(source);
  return { exported: source.statements.flatMap(exportsOf), imported };
}

/** AssemblyScript names files without their extension. */
function fileOf(path: string): string {
  return path.startsWith('src/engine/') || path.startsWith('src/flow/')
    ? path.replace(/(\.ts)?$/u, '.ts')
    : path;
}

function exportsOf(statement: ts.Statement): string[] {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  if (!modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) {
    return [];
  }
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const isValue = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement);
  return isValue && statement.name !== undefined ? [statement.name.text] : [];
}

/** Returns pairs of a file and a name: of `import`, `export from`, and `(await import(FILE)).NAME`. */
function importsOf(node: ts.Node): (readonly [string, string])[] {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    if (node.moduleSpecifier === undefined || !ts.isStringLiteral(node.moduleSpecifier)) {
      return [];
    }
    const from = node.moduleSpecifier.text;
    const clause = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
    if (clause === undefined || ts.isNamespaceImport(clause) || ts.isNamespaceExport(clause)) {
      return [[from, '*']];
    }
    return clause.elements.map(({ propertyName, name }) => [from, (propertyName ?? name).text]);
  }
  const isImport = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const [from] = isImport ? node.arguments : [];
  if (from === undefined || !ts.isStringLiteral(from)) {
    return [];
  }
  let user = node.parent;
  while (ts.isAwaitExpression(user) || ts.isParenthesizedExpression(user)) {
    user = user.parent;
  }
  return [[from.text, ts.isPropertyAccessExpression(user) ? user.name.text : '*']];
}
