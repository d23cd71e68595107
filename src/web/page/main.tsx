// The live page, from top to bottom: host and controls, health, figures, traffic over time, conversations beside collectors, and folded
// below them bridges, sampling, flows, records and raw values.

import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { TrafficDocument } from '../../report/traffic/traffic-document.ts';
import type { LiveMessage } from '../live-message.ts';
import { Collectors } from './collectors.tsx';
import { connect, type LinkState } from './connection.ts';
import { Folds } from './folds.tsx';
import { Header } from './header.tsx';
import { Health } from './health.tsx';
import { TALKERS_LISTED, Talkers } from './talkers.tsx';
import { Tiles } from './tiles.tsx';
import { Traffic } from './traffic.tsx';
import { useJson } from './use-json.ts';
import { readView, trafficPath, type View, viewHash } from './view.ts';

/** Updates between two readings of a window whose slots are of ten seconds. */
const LONG_TURNS = 5;

/** An update with its number and the time when it arrived, by `performance.now`. */
interface Update {
  readonly message: LiveMessage;
  readonly turn: number;
  readonly arrivedMs: number;
}

function Page() {
  const [update, setUpdate] = useState<Update>();
  const [link, setLink] = useState<LinkState>({ kind: 'connecting' });
  const [isPaused, setPaused] = useState(false);
  const [view, setView] = useView();
  useEffect(() => {
    let version: string | undefined;
    return connect({
      onMessage: (message) => {
        version ??= message.overview.version;
        if (version !== message.overview.version) {
          // The daemon was upgraded: its documents may have other fields than this page reads. The address has the view.
          location.reload();
          return;
        }
        setUpdate((before) => ({
          message,
          turn: (before?.turn ?? 0) + 1,
          arrivedMs: performance.now(),
        }));
      },
      onLink: setLink,
    });
  }, []);
  const shown = useHeld(update, isPaused);
  const host = shown?.message.overview.host;
  useEffect(() => {
    if (host !== undefined) {
      document.title = `${host}: ovs-ipfix`;
    }
  }, [host]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          // The fragment of the address is the view.
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the state
      </a>
      <Header
        overview={shown?.message.overview}
        link={link}
        arrivedMs={shown?.arrivedMs}
        view={view}
        onView={setView}
        isPaused={isPaused}
        onPause={setPaused}
      />
      <main id="main" tabIndex={-1}>
        {shown === undefined ? (
          <p class="empty">No update received yet.</p>
        ) : (
          <State update={shown} isPaused={isPaused} view={view} onView={setView} />
        )}
      </main>
    </>
  );
}

interface StateProps {
  readonly update: Update;
  readonly isPaused: boolean;
  readonly view: View;
  readonly onView: (view: View) => void;
}

function State({ update: { message, turn }, isPaused, view, onView }: StateProps) {
  const { overview } = message;
  const trafficTurn = view.windowSeconds === 3600 ? Math.floor(turn / LONG_TURNS) : turn;
  const asked = useJson<TrafficDocument>(trafficPath(view, TALKERS_LISTED), trafficTurn);
  const traffic = asked.document;
  return (
    <>
      <Health overview={overview} />
      <Tiles overview={overview} />
      <Traffic asked={asked} events={overview.events} view={view} onView={onView} />
      <div class="columns">
        {traffic !== undefined && traffic.talkers.length > 0 && (
          <Talkers traffic={traffic} view={view} onView={onView} />
        )}
        <Collectors collectors={overview.collectors} time={overview.time} isUtc={view.isUtc} />
      </div>
      <Folds turn={turn} isPaused={isPaused} />
      <footer>
        ovs-ipfix {overview.version}, pid {overview.pid}. Rates are estimates from samples. The same data as{' '}
        <a href="/status.json">JSON</a>, as <a href="/metrics">metrics</a>, and by <code>ovs-ipfix top</code>.
      </footer>
    </>
  );
}

/** The view, which is also in the fragment of the address. */
function useView(): [View, (view: View) => void] {
  const [view, setView] = useState(() => readView(location.hash));
  useEffect(() => {
    const follow = () => setView(readView(location.hash));
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, []);
  return [
    view,
    (next) => {
      history.replaceState(null, '', viewHash(next));
      setView(next);
    },
  ];
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
