/** The page in a real browser, against the real API over seeded queries. Needs Chromium; says so where there is none. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { emptyQueries, fakeQueries } from '#api/testing/fake.ts';
import { LogweirError } from '#protocol/errors.ts';
import { type SeededSite, sampleAt, serveSeeded } from './serve.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
if (executablePath === undefined) {
  process.stderr.write(
    'No Chromium here: the browser tests of the page do not run. Install it with `apt-get install chromium`.\n',
  );
}

const paymentsSpike = '000a1b2c3d4e5f60';
const nowMs = Date.now();
/** What a click waits for on a machine that has other things to do, ms. */
const patienceMs = 120_000;
let browser: Browser;
let site: SeededSite;
const complaints: string[] = [];
const openPages: Page[] = [];

async function visit(path: string, at = site.url, size = { width: 1440, height: 900 }): Promise<Page> {
  const page = await browser.newPage({ viewport: size });
  page.setDefaultTimeout(patienceMs);
  openPages.push(page);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(at + path);
  return page;
}

const noIncidents = { incidents: async () => ({ items: [], next: null }) };
// Polled from here: the page's own policy lets nothing be evaluated in it.
async function expectCount(page: Page, what: string | Locator, count: number): Promise<void> {
  const locator = typeof what === 'string' ? page.locator(what) : what;
  await expect.poll(() => locator.count()).toBe(count);
}

const expectAddress = (page: Page, part: string): Promise<void> => expect.poll(() => page.url()).toContain(part);

const pwned = async (page: Page): Promise<unknown> => await page.evaluate('window.pwned');

describe.runIf(executablePath !== undefined)('the page', () => {
  beforeAll(async () => {
    site = await serveSeeded(nowMs);
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
  });

  afterEach(async () => {
    await Promise.all(openPages.splice(0).map((page) => page.close()));
    const told = complaints.splice(0);
    if (told.length > 0) throw new Error(`The browser complained: ${told.join('\n')}`);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it('loads with charts, lanes, list and bars, and the console stays silent', async () => {
    const page = await visit('/');
    await page.locator('.uplot canvas').nth(1).waitFor();
    await page.locator('.mark').nth(6).waitFor();
    await expectCount(page, '.anomaly', 7);
    await expectCount(page, 'button.bar', 12);
    await expectCount(page, page.getByRole('status').filter({ hasText: 'Live' }), 1);
    await expect.poll(() => page.title()).toBe('(2) Logweir');
  });

  it('shows the live rate as it comes, and fetches anew when something was found', async () => {
    const page = await visit('/');
    await page.locator('.live-state.is-live').waitFor();
    site.push(sampleAt(Date.now(), 0));
    await page.locator('[data-figure=rate]', { hasText: '258' }).waitFor();
    const [anew] = await Promise.all([
      page.waitForRequest((request) => request.url().includes('/api/v1/anomalies')),
      (async () => site.push({ type: 'dropped', total: 1 }))(),
    ]);
    expect(anew.url()).toContain('from=now-1h');
  });

  it('filters, and the address holds the filter for others', async () => {
    const page = await visit('/');
    await page.locator('.pills button', { hasText: 'error spike' }).click();
    await expectCount(page, '.anomaly', 2);
    await expectAddress(page, 'detector=error_spike');
    await page.locator('.legend button', { hasText: 'checkout' }).click();
    await expectCount(page, '.anomaly', 1);
    const other = await visit(page.url().slice(site.url.length));
    await expectCount(other, '.anomaly', 1);
    await page.goBack();
    await expectCount(page, '.anomaly', 2);
    await page.getByPlaceholder('Find in anomalies').fill('nowhere at all');
    await page.getByText('No anomalies here').waitFor();
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await expectCount(page, '.anomaly', 7);
  });

  it('shows findings that go on first and marked, and follows them to their end', async () => {
    let isOver = false;
    const queries = fakeQueries(nowMs);
    const { anomalies, anomaly } = queries;
    const settled = <T extends { id: string; open: boolean; endMs: number }>(item: T): T =>
      isOver && item.id === paymentsSpike ? { ...item, open: false, endMs: nowMs } : item;
    queries.anomalies = async (filter, paging) => {
      const { items, next } = await anomalies({ ...filter, open: undefined }, paging);
      const all = items.map(settled).sort((a, b) => Number(b.open) - Number(a.open));
      return { items: all.filter(({ open }) => filter.open === undefined || open === filter.open), next };
    };
    queries.anomaly = async (id) => {
      const found = await anomaly(id);
      return found === null ? null : settled(found);
    };
    const live = await serveSeeded(nowMs, { queries });
    const page = await visit('/', live.url);
    await page.getByRole('heading', { name: 'Going on' }).waitFor();
    const going = page.getByRole('region', { name: 'Going on' });
    expect(await going.locator('.anomaly').count()).toBe(2);
    expect(await going.innerText()).toMatch(/for 2[34] min, still going on/);
    expect(await page.locator('.anomaly').first().innerText()).toContain('still going on');
    expect(await page.getByRole('region', { name: 'Over, newest first' }).innerText()).toMatch(/lasted 5 min, over/);
    expect(await page.getByRole('button', { name: /score 97.*still going on/ }).count()).toBe(1);
    await page.getByRole('button', { name: 'going on', exact: true }).click();
    await expectCount(page, '.anomaly', 2);
    await expectAddress(page, 'open=true');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    // What is read follows along: list and evidence, without a click.
    await going.getByRole('button', { name: /payments/ }).click();
    await page.locator('.panel-course', { hasText: 'still going on' }).waitFor();
    isOver = true;
    live.push({ type: 'dropped', total: 1 });
    await page.locator('.panel-course', { hasText: /lasted 2[34] min, over/ }).waitFor();
    await expectCount(page, '.going-on .anomaly', 1);
    await page.close();
    await live.close();
  });

  it('drills down from a mark to evidence to raw logs, and pages on', async () => {
    const page = await visit('/');
    await page.getByRole('button', { name: /error spike, score 97/ }).click();
    const panel = page.getByRole('complementary', { name: 'Anomaly' });
    await panel.getByText('What contributed').waitFor();
    await expectAddress(page, `anomaly=${paymentsSpike}`);
    await expectCount(page, panel.getByText('+7 ms'), 1);
    await panel.getByRole('button', { name: /All logs of this time|Open in Logs/ }).click();
    await page.locator('.log').nth(50).waitFor();
    await expectAddress(page, 'tab=logs');
    const before = await page.locator('.log').count();
    await page.getByRole('button', { name: 'Older logs' }).click();
    await expect.poll(() => page.locator('.log').count()).toBeGreaterThan(before);
  });

  it('whatever a body holds stays text', async () => {
    const page = await visit(`/?tab=logs&service=audit&anomaly=${paymentsSpike}`);
    await page.locator('.sample', { hasText: '<script>window.pwned = 1</script>' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.body', { hasText: '<img src=x onerror=' }).first().waitFor();
    await page.locator('.body', { hasText: '␛[31mERROR' }).first().waitFor();
    await page.locator('.body', { hasText: '⟨U+202E⟩' }).first().waitFor();
    await page.getByPlaceholder('Find in log bodies').fill('<script>');
    await page.locator('mark', { hasText: '<script>' }).first().waitFor();
    expect(await page.locator('#page script, #page img').count()).toBe(0);
    expect(await pwned(page)).toBeUndefined();
  });

  it('works from the keyboard: arrows along the marks, Enter opens, Escape gives the focus back', async () => {
    const page = await visit('/');
    await page.locator('.mark').nth(6).waitFor();
    await expectCount(page, '.mark[tabindex="0"]', 1);
    await page.locator('.mark[tabindex="0"]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.locator('.panel[data-anomaly]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.panel').waitFor({ state: 'detached' });
    await expect.poll(() => page.evaluate('document.activeElement.className')).toContain('mark');
  });

  it('corrects the class of a template, and takes it back', async () => {
    const page = await visit('/?tab=templates');
    await page.locator('.correct').first().click();
    const form = page.locator('.correct-form');
    await form.getByLabel('Severity').selectOption('WARN');
    await form.getByLabel('Category').fill('deliveries');
    await form.getByLabel('Why').fill('nobody need wake up');
    await form.getByRole('button', { name: 'Correct' }).click();
    await page.getByText('deliveries').waitFor();
    await page.goto(`${site.url}/?tab=cluster`);
    await page.getByRole('heading', { name: 'Classification' }).waitFor();
    await page.getByText(/dashboard, .* “nobody need wake up”/).waitFor();
    await page.getByRole('button', { name: 'take back' }).click();
    await expectCount(page, 'text=deliveries', 0);
    await page.getByText('History of corrections').click();
    await page.getByText(/dashboard took back WARN, deliveries/).waitFor();
  });

  it('shows what could not be taken: how much of which reason, and each with its bytes', async () => {
    const page = await visit('/?tab=cluster');
    await page.getByRole('heading', { name: 'Dead letters' }).waitFor();
    await expectCount(page, '.dead-kind', 3);
    await page.locator('.dead-open').first().click();
    await expect.poll(() => page.locator('.dead-text').innerText()).toBe('{"msg":');
    await page.getByRole('button', { name: /too long syslog/ }).click();
    await expectCount(page, '.dead-open', 1);
  });

  it('shows an incident: who was hit in which order, who began, what they share, and the logs of that time', async () => {
    const page = await visit('/?tab=incidents');
    await expectCount(page, '.incidents > li', 3);
    await page.getByRole('button', { name: /payments first, then edge-proxy and checkout/ }).click();
    await expectCount(page, '.timeline-row', 3);
    await expectAddress(page, 'incident=');
    await expect.poll(() => page.locator('.timeline-row').first().innerText()).toMatch(/payments[^]*first[^]*worst/);
    await expect.poll(() => page.locator('.clues').innerText()).toContain('ledger-db');
    await page.locator('.timeline-row').first().click();
    await expectCount(page, '.panel-sentence', 1);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Logs of payments' }).click();
    await expect.poll(() => page.url()).toMatch(/tab=logs.*service=payments|service=payments.*tab=logs/);
    const without = await serveSeeded(nowMs, { queries: { ...fakeQueries(nowMs), ...noIncidents } });
    const empty = await visit('/?tab=incidents', without.url);
    await expectCount(empty, '.empty-title', 1);
    await without.close();
  });

  it('every view fits a phone without sideways scrolling', async () => {
    for (const tab of ['overview', 'logs', 'templates', 'incidents', 'alerts', 'cluster']) {
      const page = await visit(`/?tab=${tab}`, site.url, { width: 390, height: 844 });
      await page.locator('.block').first().waitFor();
      await page.waitForTimeout(150);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), tab).toBe(true);
      await page.close();
    }
  });

  it('says how to send the first log while there is none', async () => {
    const empty = await serveSeeded(nowMs, { queries: emptyQueries() });
    const page = await visit('/', empty.url);
    await page.getByRole('heading', { name: 'No logs yet' }).waitFor();
    await expect.poll(() => page.locator('.command pre').textContent()).toContain(':8081/ingest');
    await page.close();
    await empty.close();
  });

  it('says what failed and what to do, and recovers by itself', async () => {
    let down = true;
    const queries = fakeQueries(nowMs);
    const { anomalies } = queries;
    queries.anomalies = async (filter, paging) => {
      if (down) throw new LogweirError('CLICKHOUSE_UNAVAILABLE', 'ClickHouse does not answer.', 'Wait a moment.');
      return await anomalies(filter, paging);
    };
    const failing = await serveSeeded(nowMs, { queries });
    const page = await visit('/', failing.url);
    await page.getByRole('alert').filter({ hasText: 'ClickHouse does not answer. Wait a moment.' }).waitFor();
    down = false;
    failing.push({ type: 'dropped', total: 1 });
    await page.locator('.anomaly').nth(6).waitFor();
    await expectCount(page, page.getByRole('alert'), 0);
    await page.close();
    await failing.close();
    // The browser reports each failed request itself.
    const own = complaints.splice(0).filter((text) => !text.startsWith('Failed to load resource'));
    expect(own).toEqual([]);
  });
});
