import { createLiveDrop, LiveDropError } from "@livedrop/sdk";
import { OrderState } from "@livedrop/sdk/v1";

const livedrop = createLiveDrop({ baseUrl: "http://127.0.0.1:7400" });

/** Buys one unit of a drop's first item, and tells how it went. */
export async function buyOne(dropId: string): Promise<string> {
  await livedrop.signIn({ email: "ben@demo.example", password: "ben-buys-here" });
  const { drop } = await livedrop.drops.getDrop({ dropId });
  const item = drop?.items[0];
  if (item === undefined) return "nothing to buy";
  try {
    const { order } = await livedrop.orders.placeOrder({
      dropId,
      lines: [{ itemId: item.itemId, quantity: 1 }],
      paymentMethod: "pm_test_ok",
    });
    if (order === undefined) return "no order";
    for await (const { state } of livedrop.watchOrder(dropId, order.orderId, { untilFinal: true })) {
      console.log(OrderState[state]);
    }
    return "bought";
  } catch (error) {
    if (error instanceof LiveDropError && error.reason === "SOLD_OUT") return `sold out, ${error.metadata["held"]} are held`;
    throw error;
  }
}

/** Shows how much is left, until the page says that it has seen enough. */
export async function showStock(dropId: string, signal: AbortSignal): Promise<void> {
  for await (const { drop } of livedrop.watchDrop(dropId, { signal })) {
    console.log(drop.items.map((item) => `${item.title}: ${item.stock?.available}`).join(", "));
  }
}
