// `npm run test:forwarding -- [PAIRS]`: users' traffic over many starts, stops and kills of the daemon, and as many control
// runs. support/forwarding-comparison.ts says what is compared. Prints a line after each pair, and exits with 1 if the runs
// with a daemon have lost more.

import { ForwardingLab } from '../support/forwarding.ts';
import { compareForwarding, describeComparison } from '../support/forwarding-comparison.ts';

const PAIRS = 50;

const pairs = Number(process.argv[2] ?? PAIRS);
const lab = await ForwardingLab.start();
try {
  const comparison = await compareForwarding(lab, {
    pairs,
    pairsMax: pairs * 2,
    onPair: (soFar) => process.stdout.write(`${describeComparison(soFar)}\n`),
  });
  if (comparison.isWorse) {
    process.exitCode = 1;
  }
} finally {
  await lab.stop();
}
