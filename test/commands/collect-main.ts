// The collect command as a program of its own, for its tests.

import { collectCommand } from '../../src/commands/collect.ts';

void collectCommand().parseAsync(process.argv);
