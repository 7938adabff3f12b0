import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { put } from "../src/drop-watch.js";
import { type DropNews, LiveDropError, type WatchState } from "../src/index.js";
import {
  DropChangeKind, DropSchema, DropState, DropStockSchema, GoodbyeReason, OrderState, type WatchDropResponseSchema,
  type WatchOrderResponseSchema,
} from "../src/v1.js";
import { bearer, clientOf, refusal, thrownBy, tokens, unavailable } from "./scripted.js";

type DropFrame = MessageInitShape<typeof WatchDropResponseSchema>;
type OrderFrame = MessageInitShape<typeof WatchOrderResponseSchema>;
/** What a stream does: frames, then an error, an end without goodbye, or silence. */
type Act<F> = F | Error | "silence";

beforeEach(() => void vi.useFakeTimers({ shouldAdvanceTime: true }));
afterEach(() => void vi.useRealTimers());

let at = 0;
const frame = (said: DropFrame["frame"]): DropFrame => ({ resumeToken: `token-${(at += 1)}`, serverTime: timestampFromMs(Date.now()), frame: said } as DropFrame);
const snapshot = (available?: bigint): DropFrame =>
  frame({
    case: "snapshot",
    value: {
      heartbeatInterval: durationFromMs(1_000),
      ...(available === undefined ? {} : { drop: { dropId: "d", state: DropState.LIVE, items: [{ itemId: "i", stock: { available } }], seq: 1n } }),
    },
  });
const stock = (available: bigint, seq: bigint): DropFrame =>
  frame({ case: "stock", value: { seq, items: [{ itemId: "i", stock: { available } }] } });
const ended = (eventId: string): DropFrame =>
  frame({ case: "change", value: { eventId, kind: DropChangeKind.ENDED, state: DropState.ENDED, seq: 9n } });
const goodbye = (reason: GoodbyeReason, reconnectAfterMs = 0): DropFrame =>
  frame({ case: "goodbye", value: { reason, reconnectAfter: durationFromMs(reconnectAfterMs) } });

/** A drop that is watched: one list of acts per stream. */
function watched(...streams: Act<DropFrame>[][]) {
  at = 0;
  const opened: { resumeToken: string; by: string; at: number }[] = [];
  const left: number[] = [];
  const states: WatchState[] = [];
  const client = clientOf(
    {
      auth: { refreshToken: () => ({ tokens: tokens("next") }) },
      drops: {
        watchDrop: async function* ({ resumeToken }, context) {
          const number = opened.push({ resumeToken, by: bearer(context), at: Date.now() });
          const gone = new Promise<void>((gone) => context.signal.addEventListener("abort", () => gone()));
          void gone.then(() => left.push(number));
          for (const act of streams.shift() ?? [refusal(Code.NotFound, "DROP_NOT_FOUND")]) {
            if (act instanceof Error) throw act;
            if (act === "silence") await gone;
            else yield act;
          }
        },
      },
    },
    { tokens: tokens("first"), retry: { firstDelayMs: 1 } },
  );
  const watch = client.watchDrop("d", { onState: (state) => states.push(state) });
  const next = async (): Promise<DropNews> => {
    const { value } = await watch.next();
    if (!value) throw new Error("the watch has ended");
    return value;
  };
  return { opened, left, states, watch, next };
}

const available = ({ drop }: DropNews) => drop.items[0]?.stock?.available;

test("a stream that breaks is resumed by its last token, without a word to the reader", async () => {
  const { next, opened, states } = watched([snapshot(5n), stock(4n, 2n), unavailable()], [snapshot(), stock(3n, 3n)]);
  expect([available(await next()), available(await next()), available(await next())]).toEqual([5n, 4n, 3n]);
  expect(opened.map((it) => it.resumeToken)).toEqual(["", "token-2"]);
  expect(states).toEqual(["live", "resuming", "live"]);
});

test("an end without goodbye is a cut", async () => {
  const { next, opened } = watched([snapshot(5n)], [snapshot(), stock(4n, 2n)]);
  expect([available(await next()), available(await next())]).toEqual([5n, 4n]);
  expect(opened.map((it) => it.resumeToken)).toEqual(["", "token-1"]);
});

test("a change that is told again is not told twice", async () => {
  const { next } = watched([snapshot(5n), ended("e1"), unavailable()], [snapshot(), ended("e1"), stock(4n, 10n)]);
  expect((await next()).change).toBeUndefined();
  expect((await next()).change?.eventId).toBe("e1");
  const third = await next();
  expect([third.change, available(third), third.drop.state]).toEqual([undefined, 4n, DropState.ENDED]);
});

test("a goodbye tells when to come back", async () => {
  const { next, opened, states } = watched([snapshot(5n), goodbye(GoodbyeReason.MAX_AGE, 800)], [snapshot(), stock(4n, 2n)]);
  await next();
  await next();
  expect(opened.map(({ resumeToken, by }) => [resumeToken, by])).toEqual([["", "Bearer access-first"], ["token-2", "Bearer access-first"]]);
  expect((opened[1]?.at ?? 0) - (opened[0]?.at ?? 0)).toBeGreaterThanOrEqual(800);
  expect(states).toEqual(["live", "live"]);
});

test("a goodbye that asks for it exchanges the tokens first", async () => {
  const { next, opened } = watched([snapshot(5n), goodbye(GoodbyeReason.REAUTHENTICATE)], [snapshot(), stock(4n, 2n)]);
  await next();
  await next();
  expect(opened.map(({ resumeToken, by }) => [resumeToken, by])).toEqual([["", "Bearer access-first"], ["token-2", "Bearer access-next"]]);
});

test("a stream that is silent for two heartbeats is dead", async () => {
  const heartbeat = frame({ case: "heartbeat", value: {} });
  const { next, opened, left } = watched([snapshot(5n), heartbeat, "silence"], [snapshot(), stock(4n, 2n)]);
  await next();
  expect(available(await next())).toBe(4n);
  const silence = (opened[1]?.at ?? 0) - (opened[0]?.at ?? 0);
  expect(silence).toBeGreaterThanOrEqual(2_000);
  expect(silence).toBeLessThan(4_000);
  expect(left).toContain(1);
  expect(opened[1]?.resumeToken).toBe(heartbeat.resumeToken);
});

test("a token that the server does not know any more is let go", async () => {
  const expired = () => refusal(Code.OutOfRange, "RESUME_TOKEN_EXPIRED");
  const { next, opened } = watched([snapshot(5n)], [expired()], [snapshot(2n)], [expired()], [expired()]);
  expect([available(await next()), available(await next())]).toEqual([5n, 2n]);
  expect(opened.map((it) => it.resumeToken)).toEqual(["", "token-1", ""]);
  expect(await thrownBy(next()), "no token, no excuse").toMatchObject({ reason: "RESUME_TOKEN_EXPIRED" });
});

test("what does not pass is thrown", async () => {
  const { next, opened } = watched();
  expect(await thrownBy(next())).toMatchObject({ code: Code.NotFound, reason: "DROP_NOT_FOUND" });
  expect(opened).toHaveLength(1);
});

test("a watch that never worked gives up as a call does, one that did is patient", async () => {
  const never = watched([unavailable()], [unavailable()], [unavailable()]);
  expect(await thrownBy(never.next())).toBeInstanceOf(LiveDropError);
  expect(never.opened).toHaveLength(3);

  const many = Array.from({ length: 20 }, () => [unavailable()]);
  const worked = watched([snapshot(5n)], ...many, [snapshot(), stock(4n, 2n)]);
  await worked.next();
  expect(available(await worked.next())).toBe(4n);
  expect(worked.opened).toHaveLength(22);
});

test("leaving the loop ends the stream, and so does the signal", async () => {
  const first = watched([snapshot(5n), "silence"]);
  for await (const _ of first.watch) break;
  await vi.waitFor(() => expect(first.left).toEqual([1]));

  const stop = new AbortController();
  const client = clientOf({ drops: { watchDrop: async function* () { yield snapshot(5n); await new Promise(() => undefined); } } });
  const seen: DropNews[] = [];
  const watching = (async () => {
    for await (const news of client.watchDrop("d", { signal: stop.signal })) seen.push(news);
  })();
  await vi.waitFor(() => expect(seen).toHaveLength(1));
  stop.abort();
  await watching;
});

test("what is told makes the drop what it is, to the last unit", () => {
  const huge = 2n ** 62n + 1n;
  const drop = create(DropSchema, { dropId: "d", title: "kept", items: [{ itemId: "i" }, { itemId: "j", stock: { available: 7n } }], seq: 3n });
  const next = put({ stock: create(DropStockSchema, { seq: 4n, soldOut: true, items: [{ itemId: "i", stock: { available: huge } }] }) }, drop);
  expect(next).toMatchObject({ title: "kept", seq: 4n, soldOut: true, items: [{ stock: { available: huge } }, { stock: { available: 7n } }] });
  expect(drop.items[0]?.stock, "what was told before stays").toBeUndefined();
  expect(put({ stock: create(DropStockSchema) }, undefined)).toBeUndefined();
});

test("an order is followed until it is final", async () => {
  const order = (state: OrderState, eventId: string): OrderFrame =>
    ({ resumeToken: eventId, frame: { case: "change", value: { eventId, order: { orderId: "o", state } } } }) as OrderFrame;
  const streams = [
    [{ resumeToken: "t0", frame: { case: "snapshot", value: { order: { orderId: "o", state: OrderState.HELD } } } } as OrderFrame],
    [order(OrderState.PAYMENT_PENDING, "t1"), order(OrderState.PAID, "t2"), order(OrderState.REFUNDED, "t3")],
  ];
  const asked: string[] = [];
  const client = clientOf({
    orders: {
      watchOrder: async function* ({ dropId, orderId, resumeToken }) {
        asked.push(`${dropId} ${orderId} ${resumeToken}`);
        yield* streams.shift() ?? [];
      },
    },
  });
  const states: OrderState[] = [];
  for await (const { state } of client.watchOrder("d", "o", { untilFinal: true })) states.push(state);
  expect(states).toEqual([OrderState.HELD, OrderState.PAYMENT_PENDING, OrderState.PAID]);
  expect(asked).toEqual(["d o ", "d o t0"]);
});
