// Opens the live page of a test's daemon in a real browser.

import type { TestContext } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { programPath } from './tiers.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export { pageAddress } from './page-address.ts';

/** Starts a browser for the tests of a file. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: programPath('chromium') ?? '', args: FLAGS });
}

/** An open page, with its requests to other hosts and errors on its console, of which there must be none. */
export interface Look {
  readonly page: Page;
  readonly faults: string[];
}

/** Options of `openPage`. */
export interface LookOptions {
  readonly width?: number;
  readonly colorScheme?: 'light' | 'dark';
}

/** Opens the page; it is closed after the test. */
export async function openPage(
  t: TestContext,
  browser: Browser,
  url: string,
  options: LookOptions = {},
): Promise<Look> {
  const page = await browser.newPage({
    viewport: { width: options.width ?? 1280, height: 900 },
    colorScheme: options.colorScheme ?? 'light',
  });
  t.after(() => page.close());
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') {
      faults.push(message.text());
    }
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) {
      faults.push(`a request to ${request.url()}`);
    }
  });
  await page.goto(url);
  await page.getByText('live', { exact: true }).waitFor();
  return { page, faults };
}
