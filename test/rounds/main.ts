// `npm run test:rounds [-- --rounds N --seed S --jobs J --only NAME --round N --times T --logs FOLDER | --soak MINUTES]`: rounds of
// faults under numbered packets, and what became of each packet. Prints a line for each round and a table at the end, and exits with
// 1 if a round is wrong.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { planRounds } from './plan.ts';
import { type RoundResult, roundText, runRound } from './round.ts';
import { soak } from './soak.ts';
import { roundsTable } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string' },
    /** The number of the only round to run, and how often. */
    round: { type: 'string' },
    times: { type: 'string', default: '1' },
    /** Minutes of a soak, in place of rounds. */
    soak: { type: 'string' },
    /** A folder for the logs of wrong rounds; with `round`, of each. */
    logs: { type: 'string' },
  },
});

const planned = planRounds(Number(values.rounds), Number(values.seed), values.only);
const one = planned.filter(({ index }) => index + 1 === Number(values.round));
const plans =
  values.round === undefined ? [...planned] : Array.from({ length: Number(values.times) }, () => one).flat();
const results: RoundResult[] = [];

async function work(): Promise<void> {
  for (let plan = plans.shift(); plan !== undefined; plan = plans.shift()) {
    const result = await runRound(plan);
    results.push(result);
    process.stdout.write(`${roundText(result)}\n`);
    if (values.logs !== undefined && (result.faults.length > 0 || values.round !== undefined)) {
      const time = values.round === undefined ? '' : `-${results.length}`;
      await writeFile(`${values.logs}/round-${plan.index + 1}${time}.log`, result.log);
    }
  }
}

if (values.soak !== undefined) {
  const faults = await soak(Number(values.soak), Number(values.seed), (line) =>
    process.stdout.write(`${line}\n`),
  );
  process.stdout.write(faults.length === 0 ? 'nothing has grown\n' : `WRONG: ${faults.join('; ')}\n`);
  process.exit(faults.length === 0 ? 0 : 1);
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
process.stdout.write(`\nseed ${values.seed}\n${roundsTable(results)}\n`);
process.exitCode = results.some(({ faults }) => faults.length > 0) ? 1 : 0;
