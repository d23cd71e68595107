// The end of sampling by the datapath: what is on its way once the hook has been removed is received, and what of it does not
// arrive is reported.

import type { ExporterAccount } from '../intake/exporter-account.ts';
import type { Clock } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { within } from '../runtime/within.ts';

/** What a drain depends on. */
export interface DatapathDrain {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly account: ExporterAccount;
  /** Reads the number of samples that ovs-vswitchd has sent; undefined if it is not known. */
  readonly readSent: () => Promise<number | undefined>;
}

/** Milliseconds in which samples that are on their way are received. */
const DRAIN_MS = 50;
/** Milliseconds for reading what ovs-vswitchd has sent. */
const LAST_READING_MS_MAX = 300;

/** Resolves when samples that are on their way have had their time. */
export function receiveLast(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setTimer(resolve, DRAIN_MS));
}

/** Resolves when samples have had their time, and what has not arrived is logged. */
export async function drainSamples({ bridge, clock, log, account, readSent }: DatapathDrain): Promise<void> {
  await receiveLast(clock);
  try {
    const late = `ovs-vswitchd has not said within ${LAST_READING_MS_MAX} ms what it has sent`;
    const sent = await within(clock, LAST_READING_MS_MAX, late, readSent());
    const missing = sent === undefined ? 0 : account.missingOf(sent);
    if (missing > 0) {
      log.warn(`bridge ${bridge}: ${counted(missing, 'sample')} of the datapath sent last and not arrived`);
    }
  } catch (error) {
    log.info(`bridge ${bridge}: samples that have not arrived at the end are not known: ${reasonOf(error)}`);
  }
}
