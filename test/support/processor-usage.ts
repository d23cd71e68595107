// The processor time that running programs have used (proc(5)).

import { readdir, readFile } from 'node:fs/promises';

/** Ticks of a second in /proc/PID/stat, on Linux. */
const TICKS = 100;

interface Usage {
  readonly parent: number;
  /** User and system time in seconds, without children. */
  readonly own: number;
  /** The same of children that have ended. */
  readonly ended: number;
}

/** Returns the user and system time in seconds of a process with its threads, without its children. */
export async function processorSecondsOf(pid: number): Promise<number> {
  return (await usageOf(pid))?.own ?? 0;
}

/** Returns the same of a process and all its children, those that have ended included. */
export async function processorSecondsOfTree(pid: number): Promise<number> {
  const all = new Map<number, Usage>();
  for (const name of await readdir('/proc')) {
    const usage = /^\d+$/u.test(name) ? await usageOf(Number(name)) : undefined;
    if (usage !== undefined) {
      all.set(Number(name), usage);
    }
  }
  const sum = (of: number): number => {
    const { own = 0, ended = 0 } = all.get(of) ?? {};
    const children = [...all].filter(([, { parent }]) => parent === of);
    return own + ended + children.reduce((seconds, [child]) => seconds + sum(child), 0);
  };
  return sum(pid);
}

/** Undefined: the process has ended. */
async function usageOf(pid: number): Promise<Usage | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return undefined;
    }
    throw error;
  }
  // The name of the program, in parentheses, may have spaces.
  const [, parent, ...fields] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(9, 13);
  return { parent: parent ?? 0, own: (user + system) / TICKS, ended: (endedUser + endedSystem) / TICKS };
}
