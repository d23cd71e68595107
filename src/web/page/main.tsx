// The live page: shows the daemon's updates of each second, from top to bottom: readiness, conditions, the way from bridges to
// collectors, samplers, sampling, charts, flows and records.

import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { LiveMessage } from '../live-message.ts';
import { Charts } from './charts.tsx';
import { connect, type LinkState } from './connection.ts';
import { Flows, Records } from './flows.tsx';
import { Conditions, Verdict } from './health.tsx';
import { History } from './history.ts';
import { Samplers } from './samplers.tsx';
import { Sampling } from './sampling.tsx';
import { Topology } from './topology.tsx';

const history = new History();

function Page() {
  const [message, setMessage] = useState<LiveMessage>();
  const [link, setLink] = useState<LinkState>({ kind: 'connecting' });
  const [isPaused, setPaused] = useState(false);
  useEffect(
    () =>
      connect({
        onMessage: (next) => {
          history.add(next.status);
          setMessage(next);
        },
        onLink: setLink,
      }),
    [],
  );
  const shown = useHeld(message, isPaused);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the status
      </a>
      <header>
        <h1>ovs-ipfix</h1>
        <Link link={link} />
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        {shown === undefined ? (
          <p class="empty">No update received yet.</p>
        ) : (
          <State message={shown} isPaused={isPaused} />
        )}
      </main>
    </>
  );
}

function State({ message, isPaused }: { readonly message: LiveMessage; readonly isPaused: boolean }) {
  const { status, flows, records } = message;
  return (
    <>
      <Verdict status={status} />
      <Conditions conditions={status.conditions} />
      <Topology status={status} />
      <Samplers status={status} />
      <Sampling status={status} />
      <Charts history={history} />
      <Flows flows={flows} isPaused={isPaused} />
      <Records records={records} />
      <footer>
        ovs-ipfix {status.program.version}, pid {status.program.pid}. The same data as{' '}
        <a href="/status.json">JSON</a> and as <a href="/metrics">metrics</a>.
      </footer>
    </>
  );
}

function Link({ link }: { readonly link: LinkState }) {
  const text = {
    connecting: 'connecting',
    live: 'live',
    waiting: `not connected; retrying ${link.kind === 'waiting' ? `in ${link.seconds} s` : ''}`,
  }[link.kind];
  return (
    <span class={`link ${link.kind}`} role="status">
      {text}
    </span>
  );
}

/** Returns the value, or while `isHeld` the one from before. */
function useHeld<Value>(value: Value, isHeld: boolean): Value {
  const [held, setHeld] = useState(value);
  useEffect(() => {
    if (!isHeld) {
      setHeld(value);
    }
  }, [value, isHeld]);
  return isHeld ? held : value;
}

const root = document.getElementById('page');
if (root !== null) {
  render(<Page />, root);
}
