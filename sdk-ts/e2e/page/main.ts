/** A small shop on the SDK. The server's address comes from the page's own query: `?api=http://127.0.0.1:PORT`. */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, createLiveDrop, LiveDropError } from "../../src/index.js";
import { type Drop, DropState, OrderState } from "../../src/v1.js";

const api = new URLSearchParams(location.search).get("api") ?? location.origin;
const livedrop = createLiveDrop({ baseUrl: api });
const byId = (id: string) => document.getElementById(id) as HTMLElement;

/** What a page may tell a shopper about an error. */
function told(error: unknown) {
  if (!(error instanceof LiveDropError)) throw error;
  const { code, reason, metadata, violations, correlationId, retryAfterMs } = error;
  return { code: Code[code], reason, metadata, violations, correlationId, retryAfterMs };
}

async function signUp(displayName: string) {
  const email = `${crypto.randomUUID()}@example.com`;
  const account = await livedrop.signUp({ email, password: "correct horse", displayName });
  return { accountId: account.accountId, email };
}

async function signIn(email: string) {
  return (await livedrop.signIn({ email, password: "correct horse" })).displayName;
}

/** Makes its maker a creator, and a drop that opens at once; its id. */
async function makeDrop(title: string, stock: bigint, limitPerBuyer: number) {
  const handle = `c${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  await livedrop.accounts.becomeCreator({ handle, displayName: "Creator" });
  const { drop } = await livedrop.drops.scheduleDrop({
    title,
    limitPerBuyer,
    items: [{ title: "Print", unitPrice: { currencyCode: "EUR", amountMinor: 2_500n }, stock }],
    endsAt: timestampFromMs(Date.now() + 3_600_000),
  });
  return drop?.dropId ?? "";
}

/** Ids of the drops of this title that can be bought: those listed, and those found by its words. */
async function findLive(title: string) {
  const listed = await livedrop.drops.listDrops({ state: DropState.LIVE });
  const found = await livedrop.drops.searchDrops({ text: title, buyable: true });
  const ids = (drops: Drop[]) => drops.filter((it) => it.title === title).map((it) => it.dropId);
  return { listed: ids(listed.drops), found: ids(found.drops) };
}

async function watch(dropId: string) {
  const state = byId("state");
  const onState = (name: string) => {
    state.textContent = state.dataset["state"] = name;
  };
  try {
    for await (const { drop } of livedrop.watchDrop(dropId, { onState })) {
      const { available, sold } = drop.items[0]?.stock ?? { available: -1n, sold: -1n };
      byId("title").textContent = `${drop.title}: ${DropState[drop.state]}`;
      byId("stock").textContent = `${available} left`;
      Object.assign(byId("stock").dataset, { available: String(available), sold: String(sold) });
    }
  } catch (error) {
    state.textContent = state.dataset["state"] = `failed: ${told(error).reason}`;
  }
}

async function buy(dropId: string, quantity: number, paymentMethod: string) {
  const item = (await livedrop.drops.getDrop({ dropId })).drop?.items[0];
  const lines = [{ itemId: item?.itemId ?? "", quantity }];
  try {
    const { order } = await livedrop.orders.placeOrder({ dropId, lines, paymentMethod });
    const states: string[] = [];
    let total: bigint | undefined;
    for await (const it of livedrop.watchOrder(dropId, order?.orderId ?? "", { untilFinal: true })) {
      states.push(OrderState[it.state]);
      total = it.total?.amountMinor;
    }
    return { state: states.at(-1), total };
  } catch (error) {
    return { error: told(error), itemId: item?.itemId };
  }
}

const whyNot = async (call: Promise<unknown>) => {
  try {
    await call;
    return undefined;
  } catch (error) {
    return told(error);
  }
};

const shop = {
  signUp,
  signIn,
  makeDrop,
  findLive,
  watch: (dropId: string) => void watch(dropId),
  buy,
  getMe: () => whyNot(livedrop.accounts.getMe({})),
  readDrop: (dropId: string) => whyNot(livedrop.drops.getDrop({ dropId })),
  sayTooMuch: () => whyNot(livedrop.accounts.becomeCreator({ handle: "huge", displayName: "Huge", bio: "x".repeat(3_000_000) })),
};
declare global {
  interface Window {
    shop: typeof shop;
  }
}
window.shop = shop;
byId("state").dataset["state"] = "loaded";
