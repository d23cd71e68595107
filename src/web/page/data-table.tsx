// A table that scrolls horizontally when it is wider than the screen.

import type { ComponentChildren } from 'preact';

/** Properties of a table. */
export interface DataTableProps {
  /** The id of its heading. */
  readonly label: string;
  /** Column heads; those that begin with `>` are aligned right. */
  readonly heads: readonly string[];
  /** Whether rows become paragraphs on a phone; the `data-head` of a cell is shown before it there. */
  readonly isStacked?: boolean;
  /** Its rows. */
  readonly children: ComponentChildren;
}

export function DataTable({ label, heads, isStacked = false, children }: DataTableProps) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-labelledby={label}>
      <table class={isStacked ? 'stacked' : undefined}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col" class={head.startsWith('>') ? 'number' : undefined}>
                {head.replace('>', '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
