// A table that scrolls sideways by itself where it is wider than the screen.

import type { ComponentChildren } from 'preact';

/** What a table needs. */
export interface DataTableProps {
  /** The id of its heading. */
  readonly label: string;
  /** Heads of the columns; one that begins with `>` is over numbers, at the right. */
  readonly heads: readonly string[];
  /** Its rows. */
  readonly children: ComponentChildren;
}

export function DataTable({ label, heads, children }: DataTableProps) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-labelledby={label}>
      <table>
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
