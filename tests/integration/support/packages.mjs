// Loads npm packages for the tests: from NODE_PATH if it is set, otherwise from tests/node_modules.

import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';

const require = createRequire(import.meta.url);

/** Imports the package `name`, with a clear message if it is not installed. */
export function load(name) {
  return found(name, require);
}

/** The path of a file in the package `name`. */
export function pathIn(name, file) {
  return join(dirname(found(`${name}/package.json`, require.resolve)), file);
}

function found(name, find) {
  try {
    return find(name);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error(`the npm package ${name} is missing; run "npm install" in tests, or set NODE_PATH`);
  }
}
