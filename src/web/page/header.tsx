// The head of the page: the host, the age of the data, the window, the time zone, pause.

import { useEffect, useState } from 'preact/hooks';
import type { OverviewDocument } from '../../report/traffic/overview-document.ts';
import type { LinkState } from './connection.ts';
import type { View } from './view.ts';

export interface HeaderProps {
  readonly overview: OverviewDocument | undefined;
  readonly link: LinkState;
  /** When the shown update arrived, by `performance.now`; undefined before the first. */
  readonly arrivedMs: number | undefined;
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly isPaused: boolean;
  readonly onPause: (isPaused: boolean) => void;
}

const WINDOWS: readonly (readonly [View['windowSeconds'], string])[] = [
  [300, '5 min'],
  [3600, '1 h'],
];

export function Header({ overview, link, arrivedMs, view, onView, isPaused, onPause }: HeaderProps) {
  return (
    <header>
      <h1>
        {overview?.host ?? 'ovs-ipfix'} <span class="quiet">ovs-ipfix</span>
      </h1>
      <Link link={link} isReady={overview?.isReady ?? false} isPaused={isPaused} />
      <Age arrivedMs={arrivedMs} />
      <div class="controls">
        <div class="choice" role="group" aria-label="window">
          {WINDOWS.map(([windowSeconds, label]) => (
            <button
              key={label}
              type="button"
              aria-pressed={view.windowSeconds === windowSeconds}
              onClick={() => onView({ ...view, windowSeconds })}
            >
              {label}
            </button>
          ))}
        </div>
        <button
          type="button"
          aria-pressed={view.isUtc}
          title="show times in UTC"
          onClick={() => onView({ ...view, isUtc: !view.isUtc })}
        >
          UTC
        </button>
        <button type="button" aria-pressed={isPaused} onClick={() => onPause(!isPaused)}>
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      </div>
    </header>
  );
}

interface LinkProps {
  readonly link: LinkState;
  readonly isReady: boolean;
  readonly isPaused: boolean;
}

function Link({ link, isReady, isPaused }: LinkProps) {
  const text = {
    connecting: 'connecting',
    live: isPaused ? 'paused' : isReady ? 'live' : 'not ready',
    waiting: `not connected; retrying ${link.kind === 'waiting' ? `in ${link.seconds} s` : ''}`,
  }[link.kind];
  const mood = link.kind === 'live' && !isReady ? 'unready' : link.kind;
  return (
    <span class={`link ${mood} ${isPaused ? 'paused' : ''}`} role="status">
      {text}
    </span>
  );
}

/** The age of what is shown, which grows while the page is paused or not connected. */
function Age({ arrivedMs }: { readonly arrivedMs: number | undefined }) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    setNow(performance.now());
    const timer = window.setInterval(() => setNow(performance.now()), 1000);
    return () => window.clearInterval(timer);
  }, [arrivedMs]);
  if (arrivedMs === undefined) {
    return null;
  }
  const seconds = Math.max(0, Math.round((now - arrivedMs) / 1000));
  const text = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  return <span class={seconds > 5 ? 'age old' : 'age'}>data {text} old</span>;
}
