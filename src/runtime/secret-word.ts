// Secret random words, from the kernel: node:crypto would take longer to load than a short replay takes to run.

import { closeSync, openSync, readSync } from 'node:fs';

/** The kernel's random numbers, which are for secrets: see random(4). */
const SOURCE = '/dev/urandom';

/** Returns 32 secret random bits, a number from 0 to 2^32 - 1. Throws the error of the system if `SOURCE` cannot be read. */
export function secretWord(): number {
  const descriptor = openSync(SOURCE, 'r');
  try {
    const word = Buffer.alloc(4);
    const count = readSync(descriptor, word);
    if (count < word.length) {
      throw new Error(`${SOURCE} gave ${count} bytes, and not ${word.length}`);
    }
    return word.readUInt32LE();
  } finally {
    closeSync(descriptor);
  }
}
