// The words that the house does not use, with what it says instead: the table that test/language.test.ts holds all text to.
// Each rule has sentences that break it and sentences that it must let pass.

export interface LanguageRule {
  /** The word or phrase that is refused, and what to write, as the report says it. */
  readonly not: string;
  readonly but: string;
  readonly pattern: RegExp;
  /** Paths in which the rule holds; everywhere when absent. */
  readonly within?: RegExp;
  /** One sentence for each way to break the rule. */
  readonly broken: readonly string[];
  /** Sentences near to it that are right. */
  readonly kept?: readonly string[];
}

const words = (...all: string[]) => new RegExp(`\\b(?:${all.join('|')})\\b`, 'gi');

export const LANGUAGE_RULES: readonly LanguageRule[] = [
  {
    not: 'X is no Y',
    but: 'X is not a valid Y',
    pattern:
      /(?<!\bthere\s+)(?<!\bwhere\s+)\b(?:is|are|was|were)\s+no\s+(?!(?:longer|more|less|later|older|earlier|newer|greater|better|worse|higher|lower|larger|smaller|fewer|way|such)\b)[a-z]+/gi,
    broken: ['"x" is no register bit', 'These are no flows'],
    kept: ['There is no hook', 'The row is no longer adopted', 'it has no meter', 'is no more than 10'],
  },
  {
    not: 'wish',
    but: 'desired state, desired',
    pattern: words('wish(?:es|ed)?'),
    broken: ['what the rows wish', 'set Wished'],
  },
  {
    not: 'somebody, nobody',
    but: 'another client, no process, no consumer',
    pattern: words("(?:some|no)body(?:\\s*’?'?s)?", 'some\\s*one', 'no\\s*one'),
    broken: ['Somebody changed it', 'nobody listens', 'no one asks'],
    kept: ['no ones or zeros'],
  },
  {
    not: 'dead-man switch, wind up',
    but: 'hard timeout, refresh',
    pattern: words('dead[- ]?man', 'w(?:inds?|ound)\\s+up'),
    broken: ["the dead-man's switch", 'winds up the timer'],
  },
  {
    not: 'sweep, strays',
    but: 'scan for stale actions, stale state',
    pattern: words('sweeps?', 'sweeping', 'swept', 'strays?'),
    broken: ['sweeps the flows', 'strays of a killed daemon'],
  },
  {
    not: 'look again',
    but: 'poll, resync, reconcile',
    pattern: words('looks?\\s+again', 'looked\\s+at\\s+again', 'looks?\\s+at\\s+(?:\\w+\\s+){1,3}again'),
    broken: ['looks again', 'looked at again', 'looks at all rows again'],
    kept: ['it looks up the name'],
  },
  {
    not: 'a pass (of a reconciler)',
    but: 'reconciliation',
    pattern: words(
      '(?:a|one|each|every|next|last)\\s+pass(?!\\s+(?:over|the|through|\\w+ing)\\b)',
      'pass\\s+count',
    ),
    within: /^(?:src\/(?:control|report)|docs)\//u,
    broken: ['One pass at a time', 'passCount'],
    kept: ['packets pass the meter'],
  },
  {
    not: 'mark (a reconciler)',
    but: 'trigger, schedule',
    pattern: /\bre[- ]?mark(?:ed|s)?\s+the\s+reconciler|reconcilers?\.mark\(/gi,
    broken: ['this.#reconciler.mark()', 'remarks the reconciler'],
    kept: ['--mark', 'the mark bit'],
  },
  {
    not: 'at its place, in place (of what is installed)',
    but: 'slot; installed',
    pattern: words(
      "(?:hook's|its)\\s+place",
      '(?:hook|meters?|flows?|actions?|is|are)\\s+in\\s+place(?!\\s+of)',
    ),
    broken: ['The hook in place', 'is at its place'],
    kept: ['is in place of the old file', 'rewrites the buffer in place'],
  },
  {
    not: 'put back',
    but: 'reinstall; restore',
    pattern: words('puts?\\s+(?:\\w+\\s+)?back', 'putting\\s+back'),
    broken: ['the hook was put back', 'puts it back'],
  },
  {
    not: 'give back',
    but: 'return; hand back (of the export)',
    pattern: words('g(?:ives?|iven|ave|iving)\\s+(?:\\w+\\s+){0,2}back'),
    broken: ['gives the slot back', 'was given back'],
  },
  {
    not: 'give up',
    but: 'written off; stop; fail',
    pattern: words('g(?:ives?|iven|ave|iving)\\s+up'),
    broken: ['packets given up', 'gives up after 5 s'],
  },
  {
    not: 'take in, hand on',
    but: 'read, forward',
    pattern: words(
      'tak(?:es?|en|ing)\\s+in(?!\\s+(?:all|total|the\\s+order)\\b)(?=\\s*(?:[,.;:)]|$)|\\s+(?:by|a|the|from|at)\\b)',
      'hand(?:s|ed|ing)?\\s+on',
    ),
    broken: ['frames that are taken in', 'hands on the sample', 'takes in a frame'],
    kept: ['steps taken in all', 'it takes into account'],
  },
  {
    not: 'stands for, counts as (of a sample or record)',
    but: 'weight; represents',
    pattern: words('st(?:ands?|ood)\\s+for', 'count(?:s|ed)?\\s+as(?!\\s+lost\\b|\\s+one\\s+attempt)'),
    broken: ['a sample stands for N packets', 'each counted as 3 packets'],
  },
  {
    not: 'made up for, owed, forgiven, debt',
    but: 'compensated, pending loss, written off',
    pattern: words(
      '(?:made|makes?|making)\\s+up\\s+for',
      'ow(?:e|es|ed|ing)(?!\\s+to\\b)',
      'forgiv(?:e|es|en)',
      'debts?',
    ),
    broken: ['losses made up for', 'packetsOwed', 'a debt ends', 'forgiven'],
    kept: ['owing to a limit'],
  },
  {
    not: 'expansion',
    but: 'compensation factor',
    pattern: words('expansions?'),
    within: /^(?:src\/(?:flow|intake|report|control|export|web)|docs|test\/(?:flow|report|integration))\//u,
    broken: ['poolExpansion'],
  },
  {
    not: 'offered (to the meter)',
    but: 'observed packets',
    pattern: words('(?:meter|packets)\\s+(?:was|were|is|are)\\s+offered', 'offered\\s+packets'),
    broken: ['Packets that the meter was offered'],
  },
  {
    not: 'foreign; of ours',
    but: 'unmanaged; managed',
    pattern: words('foreign(?!\\s+key)', '(?:sets?|meters?|flows?|actions?|rows?)\\s+of\\s+ours'),
    broken: ['foreign packet-ins', 'a collector set of ours'],
  },
  {
    not: 'remedy; mend (of a condition)',
    but: 'action; fix',
    pattern: words('remed(?:y|ies|ied)', 'mend(?:s|ed|ing)?'),
    broken: ['the remedy', 'an operator can mend'],
  },
  {
    not: 'twin (environment)',
    but: 'environment variable',
    pattern: words('twins?'),
    broken: ['its environment twin'],
  },
  {
    not: 'vouch',
    but: 'verify',
    pattern: words('vouch(?:es|ed)?'),
    broken: ['the authority that vouches for OVS'],
  },
  {
    not: 'cut or impossible (header)',
    but: 'truncated or malformed',
    pattern: words(
      'cut\\s+or\\s+impossible',
      'impossible\\s+(?:\\w+\\s+)?headers?',
      'headers?\\s+(?:that\\s+)?(?:is|are|was|were)\\s+(?:cut|impossible)',
    ),
    broken: ['a cut or impossible header', 'whose header was cut'],
  },
  {
    not: 'loser, winner (of a lock)',
    but: 'previous holder, new holder',
    pattern: words('losers?', 'winners?'),
    broken: ['the loser of the lock'],
  },
  {
    not: 'who kills the daemon; what a killed daemon left',
    but: 'if the daemon dies; stale state',
    pattern: words('who\\s+kills', 'killed\\s+daemon\\s+(?:has\\s+)?left'),
    broken: ['what a killed daemon has left', 'who kills the daemon'],
  },
  {
    not: 'touch (packet path)',
    but: 'prefetch',
    pattern: words('touch(?:es|ed)?'),
    within: /^(?:src|test)\/(?:flow|packet|intake)\//u,
    broken: ['touches the entries of a batch'],
  },
  {
    not: 'archaic turns (lest, thrice, bears, save that)',
    but: 'plain words',
    pattern: words('lest', 'thrice', 'twain', 'whence', 'thither', 'hither', 'whilst', 'save\\s+that'),
    broken: ['lest it fails', 'tried thrice'],
  },
  {
    not: 'have it wrongly; made to follow',
    but: 'differs from the desired state; reconcile',
    pattern: words('ha(?:s|ve)\\s+it\\s+wrong(?:ly)?', 'made\\s+to\\s+follow'),
    broken: ['flows that have it wrongly', 'what runs is made to follow'],
  },
];

/** A use of a refused word: where, what was found, and the rule. */
export interface LanguageRemark {
  readonly line: number;
  readonly found: string;
  readonly rule: LanguageRule;
}

/** Text as the rules read it: without comment marks at the start of lines, and names in camelCase apart. */
function readable(text: string): string {
  return text
    .replaceAll(/^[ \t]*(?:\/\/+|\/\*\*?|\*\/?|#+)[ \t]?/gmu, '')
    .replaceAll(/([a-z\d])([A-Z])/gu, '$1 $2')
    .replaceAll('_', ' ');
}

/** Finds every refused word in a file's text; lines count from 1. */
export function languageRemarks(path: string, text: string, rules = LANGUAGE_RULES): LanguageRemark[] {
  const plain = readable(text);
  const remarks: LanguageRemark[] = [];
  for (const rule of rules) {
    if (rule.within !== undefined && !rule.within.test(path)) {
      continue;
    }
    for (const match of plain.matchAll(rule.pattern)) {
      const line = plain.slice(0, match.index).split('\n').length;
      remarks.push({ line, found: match[0].replaceAll(/\s+/gu, ' '), rule });
    }
  }
  return remarks.sort((a, b) => a.line - b.line);
}
