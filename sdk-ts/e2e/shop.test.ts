/**
 * The SDK in a real Chromium against a real server; the page comes from another origin, so that CORS is tested too.
 *
 * Environment: LIVEDROP_BIN (the built server), CHROMIUM (default /usr/bin/chromium), LIVEDROP_SHOT (a PNG to write).
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LiveDropServer } from "./server.js";

const FOREIGN = "shop.foreign.example";
const STREAMS = "livedrop_streams_open";

const binary = process.env["LIVEDROP_BIN"];
const temporary = mkdtempSync(join(tmpdir(), "livedrop-browser-"));
const complaints: string[] = [];
let server: LiveDropServer;
let pages: PreviewServer;
let port: number;
let context: BrowserContext;

beforeAll(async () => {
  if (binary === undefined) throw new Error("LIVEDROP_BIN names no server: build one, or run scripts/test web");
  server = await LiveDropServer.start(binary);
  const site = { root: join(import.meta.dirname, "page"), logLevel: "warn" as const, configFile: false as const };
  const outDir = join(temporary, "dist");
  await build({ ...site, build: { target: "es2022", outDir, emptyOutDir: true } });
  pages = await preview({ ...site, build: { outDir }, preview: { host: "127.0.0.1", port: 0, allowedHosts: [FOREIGN] } });
  const address = pages.httpServer.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  port = address.port;
  context = await chromium.launchPersistentContext(join(temporary, "profile"), {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 720, height: 360 },
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1`,
    ],
  });
  context.setDefaultTimeout(20_000);
});

afterAll(async () => {
  await context?.close();
  await new Promise((closed) => (pages ? pages.httpServer.close(closed) : closed(undefined)));
  await server?.remove();
  rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
});

/** A tab with the shop; its console has to stay clean. */
async function open(host = "127.0.0.1"): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`http://${host}:${port}/?api=${server.url}`);
  await page.waitForSelector('#state[data-state="loaded"]', { state: "attached" });
  return page;
}

const shows = (page: Page, available: number, sold: number) =>
  page.waitForSelector(`#stock[data-available="${available}"][data-sold="${sold}"]`, { state: "attached" });
const isIn = (page: Page, state: string) => page.waitForSelector(`#state[data-state="${state}"]`, { state: "attached" });

async function makeDrop(page: Page, stock: bigint, limit: number): Promise<string> {
  await page.evaluate(() => window.shop.signUp("Carla"));
  return page.evaluate(([stock, limit]) => window.shop.makeDrop("Prints", stock, limit), [stock, limit] as const);
}

test("a drop is bought, and all who watch see its stock fall", async () => {
  const [creator, watcher, buyer] = [await open(), await open(), await open()];
  const dropId = await makeDrop(creator, 5n, 3);
  // Lists and search may lag a second.
  const findLive = () => watcher.evaluate(() => window.shop.findLive("Prints"));
  await expect.poll(findLive, { timeout: 20_000 }).toEqual({ listed: expect.arrayContaining([dropId]), found: expect.arrayContaining([dropId]) });
  await watcher.evaluate((dropId) => window.shop.watch(dropId), dropId);
  await shows(watcher, 5, 0);
  const { email } = await buyer.evaluate(() => window.shop.signUp("Ben"));
  expect(await buyer.evaluate((email) => window.shop.signIn(email), email)).toBe("Ben");

  const bought = await buyer.evaluate((dropId) => window.shop.buy(dropId, 2, "pm_test_ok"), dropId);
  expect(bought).toEqual({ state: "PAID", total: 5_000n });
  await shows(watcher, 3, 2);
  await isIn(watcher, "live");
  if (process.env["LIVEDROP_SHOT"]) await watcher.screenshot({ path: process.env["LIVEDROP_SHOT"] });

  const limited = await buyer.evaluate((dropId) => window.shop.buy(dropId, 2, "pm_test_ok"), dropId);
  expect(limited.error).toMatchObject({ code: "FailedPrecondition", reason: "BUYER_LIMIT_REACHED", metadata: { dropId, limit: "3", owned: "2" } });
  expect(limited.error?.correlationId).toMatch(/^[0-9a-f]{16}$/);

  const [second, late] = [await open(), await open()];
  await second.evaluate(() => window.shop.signUp("Bea"));
  await late.evaluate(() => window.shop.signUp("Late"));
  expect(await second.evaluate((dropId) => window.shop.buy(dropId, 3, "pm_test_ok"), dropId)).toMatchObject({ state: "PAID" });
  await shows(watcher, 0, 5);
  const refused = await late.evaluate((dropId) => window.shop.buy(dropId, 1, "pm_test_ok"), dropId);
  expect(refused.error).toMatchObject({
    code: "FailedPrecondition", reason: "SOLD_OUT",
    metadata: { dropId, itemId: refused.itemId, requested: "1", available: "0", held: "0" },
  });
  await Promise.all([creator, watcher, buyer, second, late].map((page) => page.close()));
});

test("errors of every layer are readable from another origin", async () => {
  const page = await open();
  expect(await page.evaluate(() => window.shop.getMe())).toMatchObject({ code: "Unauthenticated", reason: "UNAUTHENTICATED" });
  expect(await page.evaluate(() => window.shop.readDrop("no"))).toMatchObject({
    code: "InvalidArgument", reason: "INVALID_REQUEST", violations: [{ field: "drop_id" }],
  });
  await page.evaluate(() => window.shop.signUp("Carla"));
  // A refusal before the body has come: the server must not reset the connection under it.
  for (let round = 0; round < 5; round += 1) {
    expect(await page.evaluate(() => window.shop.sayTooMuch())).toMatchObject({ code: "ResourceExhausted", reason: "TOO_LARGE" });
  }
  await page.close();
});

test("a closed tab ends its stream on the server", async () => {
  const [creator, watcher] = [await open(), await open()];
  const dropId = await makeDrop(creator, 5n, 0);
  const before = await server.metric(STREAMS);
  await watcher.evaluate((dropId) => window.shop.watch(dropId), dropId);
  await shows(watcher, 5, 0);
  expect(await server.metric(STREAMS)).toBe(before + 1);
  await watcher.close();
  await expect.poll(() => server.metric(STREAMS), { timeout: 10_000 }).toBe(before);
  await creator.close();
});

test("a watch outlives its server", async () => {
  const [creator, watcher] = [await open(), await open()];
  const dropId = await makeDrop(creator, 5n, 0);
  await watcher.evaluate((dropId) => window.shop.watch(dropId), dropId);
  await shows(watcher, 5, 0);
  await server.end();
  await server.run();
  expect(await creator.evaluate((dropId) => window.shop.buy(dropId, 1, "pm_test_ok"), dropId)).toMatchObject({ state: "PAID" });
  await shows(watcher, 4, 1);
  await server.end("SIGKILL");
  await isIn(watcher, "resuming");
  await server.run();
  await isIn(watcher, "live");
  expect(await creator.evaluate((dropId) => window.shop.buy(dropId, 1, "pm_test_ok"), dropId)).toMatchObject({ state: "PAID" });
  await shows(watcher, 3, 2);
  await Promise.all([creator.close(), watcher.close()]);
  // The browser itself writes down each connection that failed meanwhile.
  const network = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;
  complaints.splice(0, complaints.length, ...complaints.filter((it) => !network.test(it)));
});

test("nothing was complained about", () => {
  expect(complaints).toEqual([]);
});

test("the browser refuses the server's answers to a foreign origin", async () => {
  const page = await open(FOREIGN);
  expect(await page.evaluate(() => window.shop.getMe())).toMatchObject({ code: "Unavailable" });
  expect(complaints.some((it) => it.includes(`origin 'http://${FOREIGN}:${port}' has been blocked by CORS policy`)), complaints.join("\n")).toBe(true);
  await page.close();
});
