// The flags of `top`, from text to validated, readonly values.

import * as z from 'zod/mini';
import { choice, filledText, parse, wholeNumber } from './flag-schema.ts';
import type { StatusSettings } from './settings.ts';

const topSchema = z.object({
  window: z._default(z.string(), '5m'),
  by: z._default(z.string(), 'interface'),
  interval: z._default(wholeNumber(1, 3600), 2),
  format: z._default(choice(['table', 'json']), 'table'),
  unixctl: filledText,
});

/** Settings of `top`. */
export interface TopSettings extends StatusSettings {
  /** Words of the command `top` of the daemon, which checks them. */
  readonly window: string;
  readonly by: string;
  /** Seconds between two screens. */
  readonly intervalSeconds: number;
}

/** Reads the flags of `top`; throws `SettingsError`. */
export function readTopSettings(flags: unknown): TopSettings {
  const { window, by, interval, format, unixctl } = parse(topSchema, flags);
  return { window, by, intervalSeconds: interval, format, unixctlPath: unixctl };
}
