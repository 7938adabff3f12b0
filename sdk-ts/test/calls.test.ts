import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { mayRepeat } from "../src/calls.js";
import { LiveDropError, newRequestId } from "../src/index.js";
import { Budget, defaultRetry, delayMs } from "../src/retry.js";
import { AccountService, AuthService, CatalogService, DropService, FollowService, OrderService, PlaceOrderRequestSchema } from "../src/v1.js";
import { clientOf, refusal, thrownBy, unavailable } from "./scripted.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

beforeEach(() => void vi.useFakeTimers({ shouldAdvanceTime: true }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Orders that fail so often first, and what was asked. */
function shop(failures: (() => Error)[]) {
  const asked: { requestId: string; retryCount: number }[] = [];
  const placeOrder = ({ requestId, retryCount }: { requestId: string; retryCount: number }) => {
    asked.push({ requestId, retryCount });
    const failure = failures.shift();
    if (failure) throw failure();
    return { order: { orderId: "o" } };
  };
  return { asked, script: { orders: { placeOrder } } };
}

test("a request id is made once and kept across retries, which are counted", async () => {
  const { asked, script } = shop([unavailable, () => refusal(Code.DeadlineExceeded, "DEADLINE_EXCEEDED")]);
  const { order } = await clientOf(script).orders.placeOrder({ dropId: "d" });
  expect(order?.orderId).toBe("o");
  expect(asked.map((it) => it.retryCount)).toEqual([0, 1, 2]);
  expect(asked[0]?.requestId).toMatch(UUID);
  expect(new Set(asked.map((it) => it.requestId)).size).toBe(1);
});

test("the caller's request id is used, and its message left as it is", async () => {
  const { asked, script } = shop([unavailable]);
  const requestId = newRequestId();
  const request = create(PlaceOrderRequestSchema, { requestId, retryCount: 4 });
  await clientOf(script).orders.placeOrder(request);
  expect(asked).toEqual([{ requestId, retryCount: 4 }, { requestId, retryCount: 5 }]);
  expect(request.retryCount).toBe(4);
  const empty = create(PlaceOrderRequestSchema);
  await clientOf(script).orders.placeOrder(empty);
  expect(empty.requestId).toBe("");
});

test("two calls have two request ids", async () => {
  const { asked, script } = shop([]);
  const { orders } = clientOf(script);
  await Promise.all([orders.placeOrder({}), orders.placeOrder({})]);
  expect(asked[0]?.requestId).not.toBe(asked[1]?.requestId);
});

test("attempts end, and the error says how to go on", async () => {
  const { asked, script } = shop([unavailable, unavailable, unavailable, unavailable]);
  const error = await thrownBy(clientOf(script).orders.placeOrder({}));
  expect(error).toBeInstanceOf(LiveDropError);
  expect(asked).toHaveLength(3);
  expect(error).toMatchObject({ code: Code.Unavailable, requestId: asked[0]?.requestId, retryCount: 3, mayHaveTakenEffect: true });
});

test("a refusal is told at once, with all its facts", async () => {
  const metadata = { dropId: "d", itemId: "i", available: "0" };
  const { asked, script } = shop([() => refusal(Code.FailedPrecondition, "SOLD_OUT", { metadata })]);
  const error = await thrownBy(clientOf(script).orders.placeOrder({}));
  expect(asked).toHaveLength(1);
  expect(error).toMatchObject({
    name: "LiveDropError", code: Code.FailedPrecondition, reason: "SOLD_OUT", metadata, correlationId: "corr-1",
    message: "SOLD_OUT: in words", isRetryable: false, mayHaveTakenEffect: false, retryAfterMs: undefined,
  });
});

test("a limit is waited for if the server says how long, and only then", async () => {
  const limited = (retryAfterMs?: number) => refusal(Code.ResourceExhausted, "RATE_LIMITED", retryAfterMs === undefined ? {} : { retryAfterMs });
  const first = shop([() => limited(1_000)]);
  const begun = Date.now();
  await clientOf(first.script).orders.placeOrder({});
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
  expect(first.asked.map((it) => it.retryCount)).toEqual([0, 0]);

  const second = shop([() => limited()]);
  const error = await thrownBy(clientOf(second.script).orders.placeOrder({}));
  expect(second.asked).toHaveLength(1);
  expect(error).toMatchObject({ code: Code.ResourceExhausted, isRetryable: false });
});

test("no wait goes beyond the call's own time", async () => {
  const { asked, script } = shop([() => refusal(Code.Unavailable, "UNAVAILABLE", { retryAfterMs: 60_000 })]);
  expect(await thrownBy(clientOf(script).orders.placeOrder({}))).toMatchObject({ retryAfterMs: 60_000 });
  expect(asked).toHaveLength(1);
});

test("an aborted call is not repeated", async () => {
  const { asked, script } = shop([() => refusal(Code.Unavailable, "UNAVAILABLE", { retryAfterMs: 20_000 })]);
  const stop = new AbortController();
  const call = thrownBy(clientOf(script).orders.placeOrder({}, { signal: stop.signal }));
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  stop.abort();
  expect(await call).toMatchObject({ code: Code.Canceled });
  expect(asked).toHaveLength(1);
});

test("the budget keeps repeats from multiplying an overload", async () => {
  const { asked, script } = shop(Array.from({ length: 100 }, () => unavailable));
  const { orders } = clientOf(script, { retry: { budgetBurst: 3, budgetPercent: 0 } });
  for (let call = 0; call < 10; call += 1) await thrownBy(orders.placeOrder({}));
  expect(asked).toHaveLength(13);

  const budget = new Budget({ ...defaultRetry, budgetBurst: 1 });
  expect([budget.takeRepeat(), budget.takeRepeat()]).toEqual([true, false]);
  for (let call = 0; call < 9; call += 1) budget.putCall();
  expect(budget.takeRepeat()).toBe(false);
  budget.putCall();
  expect(budget.takeRepeat()).toBe(true);
});

test("delays are spread below a bound that doubles, unless the server asks for one", () => {
  const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
  expect([1, 2, 3].map((attempts) => delayMs(defaultRetry, attempts, undefined))).toEqual([50, 100, 200]);
  expect(delayMs(defaultRetry, 50, undefined)).toBe(2_500);
  expect(delayMs(defaultRetry, 1, 2_000)).toBe(2_100);
  random.mockReturnValue(0);
  expect(delayMs(defaultRetry, 3, undefined)).toBe(0);
});

test("only what is known to be harmless is sent again", () => {
  const withoutId = { name: "SendTest", input: DropService.method.getDrop.input };
  expect(mayRepeat(withoutId)).toBe(false);
  for (const { methods } of [AccountService, AuthService, CatalogService, DropService, FollowService, OrderService]) {
    for (const method of methods.filter((it) => it.methodKind === "unary")) expect(mayRepeat(method), method.name).toBe(true);
  }
});
