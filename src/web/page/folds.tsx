// The lower part of the page, folded: what is asked for only while it is open.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { StatusDocument } from '../../report/status-document.ts';
import { type AskedProps, Flows, Records } from './flows.tsx';
import { Samplers } from './samplers.tsx';
import { Sampling } from './sampling.tsx';
import { Topology } from './topology.tsx';
import { useJson } from './use-json.ts';

/** Updates between two readings of the status. */
const STATUS_TURNS = 2;

export function Folds({ turn, isPaused }: AskedProps) {
  return (
    <div class="folds">
      <Fold title="Bridges">
        <Status turn={turn} isPaused={isPaused} show={(status) => <Topology status={status} />} />
      </Fold>
      <Fold title="Sampling arithmetic">
        <Status
          turn={turn}
          isPaused={isPaused}
          show={(status) => (
            <>
              <Samplers status={status} />
              <Sampling status={status} />
            </>
          )}
        />
      </Fold>
      <Fold title="Flows in the caches">
        <Flows isPaused={isPaused} />
      </Fold>
      <Fold title="Last records">
        <Records turn={turn} isPaused={isPaused} />
      </Fold>
      <Fold title="Raw values">
        <Status
          turn={turn}
          isPaused={isPaused}
          show={(status) => (
            <pre tabIndex={0} aria-label="status as JSON">
              {JSON.stringify(status, undefined, 2)}
            </pre>
          )}
        />
      </Fold>
    </div>
  );
}

interface FoldProps {
  readonly title: string;
  readonly children: ComponentChildren;
}

function Fold({ title, children }: FoldProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{title}</summary>
      {isOpen && <div class="folded">{children}</div>}
    </details>
  );
}

interface StatusProps extends AskedProps {
  readonly show: (status: StatusDocument) => ComponentChildren;
}

function Status({ turn, isPaused, show }: StatusProps) {
  const { document, fault } = useJson<StatusDocument>(
    '/status.json',
    isPaused ? 0 : Math.floor(turn / STATUS_TURNS),
  );
  if (document === undefined) {
    return fault === undefined ? null : <p class="loss">{fault}</p>;
  }
  return <>{show(document)}</>;
}
