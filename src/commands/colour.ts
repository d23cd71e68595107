// Colours of a terminal (ECMA-48, select graphic rendition).

/** Codes of the colours, including bold. */
const CODES = { red: 31, green: 32, yellow: 33, cyan: 36, bold: 1 } as const;
export type Colour = keyof typeof CODES;

/** Colours a text: on a terminal only, and not if NO_COLOR is set (https://no-color.org). */
export function coloured(colour: Colour, text: string): string {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) {
    return text;
  }
  return `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}
