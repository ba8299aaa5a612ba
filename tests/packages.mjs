// Checks what the tests on Node need, so that a missing package is one clear failure and not one of each test.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url);
const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

if (Number(process.versions.node.split('.')[0]) < 18) {
  console.error(`Node ${process.versions.node} is too old: 18 or newer is needed`);
  process.exit(1);
}
for (const [name, version] of Object.entries(dependencies)) {
  let installed;
  try {
    installed = require(`${name}/package.json`).version;
  } catch {
    console.error(`${name} ${version} is not installed: run "npm ci" in tests/`);
    process.exit(1);
  }
  if (installed !== version) {
    console.error(`${name} is ${installed}, not ${version}: run "npm ci" in tests/`);
    process.exit(1);
  }
  console.log(`${name} ${installed}`);
}
