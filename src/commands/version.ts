// The program's version, from package.json; the bundler inserts it.

import packageJson from '../../package.json' with { type: 'json' };

export const version: string = packageJson.version;
