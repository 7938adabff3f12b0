import { equals } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import type { Calls } from "./calls.js";
import { spanMs } from "./error.js";
import { type Order, OrderSchema, OrderService, OrderState, type WatchOrderResponse } from "./gen/livedrop/v1/order_pb.js";
import { resuming, type Said, type WatchOptions } from "./resuming.js";

/** How long an order is followed. */
export interface OrderWatchOptions extends WatchOptions {
  /** Ends after the first version that is `PAID`, `CANCELLED`, `EXPIRED` or `REFUNDED`. */
  readonly untilFinal?: boolean;
}

const FINAL: ReadonlySet<OrderState> = new Set([OrderState.PAID, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUNDED]);

/** Follows an order; see `LiveDrop.watchOrder`. */
export async function* watchOrder(
  calls: Calls,
  dropId: string,
  orderId: string,
  { untilFinal = false, ...options }: OrderWatchOptions,
): AsyncGenerator<Order, void, void> {
  const orders = createClient(OrderService, calls);
  const open = (resumeToken: string, signal: AbortSignal) => orders.watchOrder({ dropId, orderId, resumeToken }, { signal });
  let newest: Order | undefined;
  for await (const order of resuming<WatchOrderResponse, Order>(calls, { open, read }, options)) {
    if (newest !== undefined && equals(OrderSchema, newest, order)) continue;
    newest = order;
    yield order;
    if (untilFinal && FINAL.has(order.state)) return;
  }
}

function read({ resumeToken, frame }: WatchOrderResponse): { resumeToken: string; said: Said<Order> } {
  const said = (): Said<Order> => {
    switch (frame.case) {
      case "snapshot":
        return { kind: "begun", heartbeatMs: spanMs(frame.value.heartbeatInterval), news: frame.value.order };
      case "change": {
        const { eventId, order } = frame.value;
        return order === undefined ? { kind: "nothing" } : { kind: "news", eventId, news: order };
      }
      case "goodbye":
        return { kind: "goodbye", goodbye: frame.value };
      case "heartbeat":
      case undefined:
        return { kind: "nothing" };
    }
  };
  return { resumeToken, said: said() };
}
