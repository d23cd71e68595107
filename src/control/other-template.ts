// Reports templates of ovs-vswitchd that are not the known ones.

import type { Logger } from '../runtime/log.ts';

/** Returns a callback for `SwitchRecordsOptions.onOtherTemplate`. */
export function otherTemplateReporter(bridge: string, log: Logger): (id: number) => void {
  return (id) => {
    log
      .limited('template')
      .warn(
        `bridge ${bridge}: ovs-vswitchd defines template ${id} otherwise than known; its records are read as defined`,
      );
  };
}
