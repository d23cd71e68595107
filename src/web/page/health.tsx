// Readiness in one line, and the conditions with their actions.

import { listExporters } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { durationText } from '../../report/status-text.ts';
import { counted } from './format.ts';

export function Verdict({ status }: { readonly status: StatusDocument }) {
  const { missing, bridges, conditions, program } = status;
  const exporters = listExporters(status);
  const collectors = exporters.flatMap(({ exporter }) => exporter.collectors);
  const away = collectors.filter(({ state }) => state !== 'open');
  const errors = conditions.filter(({ severity }) => severity === 'error').length;
  const mood =
    missing.length > 0 || errors > 0 ? 'bad' : away.length > 0 || conditions.length > 0 ? 'warning' : 'good';
  const headline =
    missing.length > 0
      ? 'Not ready'
      : exporters.length === 0
        ? 'Ready, nothing to export'
        : away.length > 0
          ? `${away.length} of ${collectors.length} collectors cannot be reached`
          : errors > 0
            ? 'Flows are exported, with errors in the configuration'
            : 'Flows are exported';
  return (
    <section class={`verdict ${mood}`} aria-live="polite">
      <p class="headline">
        <Mark mood={mood} /> {headline}
      </p>
      {missing.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      <p class="quiet">
        {counted(bridges.length, 'bridge')}, {counted(exporters.length, 'exporter')},{' '}
        {counted(collectors.length, 'collector')}; up {durationText(program.upSeconds)}
      </p>
    </section>
  );
}

export type Mood = 'good' | 'warning' | 'bad';

const MARKS: Readonly<Record<Mood, readonly [sign: string, word: string]>> = {
  good: ['✓', 'good'],
  warning: ['!', 'warning'],
  bad: ['✗', 'bad'],
};

/** A sign beside the colour, for readers who cannot tell the colours apart. */
export function Mark({ mood }: { readonly mood: Mood }) {
  const [sign, word] = MARKS[mood];
  return (
    <span class={`mark ${mood}`} role="img" aria-label={word}>
      {sign}
    </span>
  );
}

export function Conditions({ conditions }: Pick<StatusDocument, 'conditions'>) {
  if (conditions.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="conditions">
      <h2 id="conditions">Conditions</h2>
      <ul class="conditions">
        {conditions.map(({ code, severity, where, message, action }) => (
          <li key={`${code} ${where}`}>
            <p>
              <Mark mood={severity === 'error' ? 'bad' : 'warning'} /> <strong>{code}</strong>{' '}
              <span class="quiet">{where}</span>
            </p>
            <p>{message}</p>
            <p class="action">{action}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
