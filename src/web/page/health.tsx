// The state and the losses in a sentence each; conditions and the findings of the doctor, with their commands for copying.

import { useState } from 'preact/hooks';
import { durationText } from '../../report/status-text.ts';
import type { Mood, OverviewDocument, ShownCondition } from '../../report/traffic/overview-document.ts';
import { counted } from '../../runtime/counted.ts';
import type { DoctorDocument } from '../live-message.ts';
import { useJson } from './use-json.ts';

export function Health({ overview }: { readonly overview: OverviewDocument }) {
  const { state, losses, upSeconds, conditions, conditionsOmitted } = overview;
  return (
    <section class={`health ${worst(state.mood, losses.mood)}`} aria-label="health">
      <div aria-live="polite">
        <p class="headline" data-sentence="state">
          <Mark mood={state.mood} /> {state.text}
        </p>
        <p data-sentence="losses">
          <Mark mood={losses.mood} /> {losses.text} <span class="quiet">Up {durationText(upSeconds)}.</span>
        </p>
      </div>
      {conditions.length > 0 && <ConditionList label="conditions" conditions={conditions} />}
      {conditionsOmitted > 0 && <p class="quiet">and {counted(conditionsOmitted, 'more condition')}</p>}
      <Doctor conditions={conditions} />
    </section>
  );
}

function worst(a: Mood, b: Mood): Mood {
  return a === 'bad' || b === 'bad' ? 'bad' : a === 'warning' || b === 'warning' ? 'warning' : 'good';
}

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

interface ConditionListProps {
  readonly label: string;
  readonly conditions: readonly ShownCondition[];
}

/** Conditions that are shown before the chart; one more is shown as well, the others are folded. */
const UNFOLDED = 3;

/** The conditions; of many only the first, so that the chart stays in sight. */
function ConditionList({ label, conditions }: ConditionListProps) {
  const count = conditions.length <= UNFOLDED + 1 ? conditions.length : UNFOLDED;
  const folded = conditions.slice(count);
  return (
    <>
      <ul class="conditions" aria-label={label}>
        {conditions.slice(0, count).map(conditionItem)}
      </ul>
      {folded.length > 0 && (
        <details class="more conditions">
          <summary>{folded.length} more</summary>
          <ul aria-label={`more ${label}`}>{folded.map(conditionItem)}</ul>
        </details>
      )}
    </>
  );
}

function conditionItem({ code, severity, where, message, action, command }: ShownCondition) {
  return (
    <li key={`${code} ${where} ${message}`}>
      <p>
        <Mark mood={severity === 'error' ? 'bad' : severity === 'warning' ? 'warning' : 'good'} />{' '}
        <strong>{code}</strong> <span class="quiet">{where}</span>
      </p>
      <p>{message}</p>
      <p class="action">{action}</p>
      {command !== undefined && <Command text={command} />}
    </li>
  );
}

/** A command with a button that copies it; where the browser does not allow that, the button selects it. */
function Command({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (code: Element | null) => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      window.setTimeout(() => setCopied(false), 2000);
    } catch {
      // Only pages over TLS or from this host may write to the clipboard.
      if (code !== null) {
        window.getSelection()?.selectAllChildren(code);
      }
    }
  };
  return (
    <p class="command">
      <code>{text}</code>{' '}
      <button
        type="button"
        onClick={({ currentTarget }) => void copy(currentTarget.parentElement?.querySelector('code') ?? null)}
      >
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </p>
  );
}

/** What `ovs-ipfix doctor` finds, when it is asked for, without the conditions that the page shows anyway. */
function Doctor({ conditions }: Pick<OverviewDocument, 'conditions'>) {
  const [turn, setTurn] = useState(0);
  const { document, fault } = useJson<DoctorDocument>(turn === 0 ? undefined : '/doctor.json', turn);
  const isShown = (one: ShownCondition) =>
    conditions.some(({ code, where }) => code === one.code && where === one.where);
  const others = document?.findings.filter((one) => !isShown(one)) ?? [];
  const isBusy = turn > 0 && document === undefined && fault === undefined;
  return (
    <div class="doctor">
      <p>
        <button type="button" disabled={isBusy} onClick={() => setTurn(turn + 1)}>
          {isBusy ? 'Examining…' : 'Examine with the doctor'}
        </button>{' '}
        {document !== undefined && <span class="quiet">{findingsText(document, others.length)}</span>}
      </p>
      {fault !== undefined && <p class="loss">{fault}</p>}
      {others.length > 0 && <ConditionList label="findings of the doctor" conditions={others} />}
    </div>
  );
}

function findingsText({ findings, ageSeconds }: DoctorDocument, otherCount: number): string {
  const above = findings.length - otherCount;
  const count = findings.length === 0 ? 'nothing found' : counted(findings.length, 'finding');
  return [
    count,
    ...(above > 0 ? [`${above} of them above`] : []),
    ...(ageSeconds < 2 ? [] : [`${ageSeconds} s ago`]),
  ].join(', ');
}
