/** Live Drop from a browser. Begin with `createLiveDrop`; the contract's messages are in `@livedrop/sdk/v1`. */

export { Code } from "@connectrpc/connect";
export { newRequestId } from "./calls.js";
export { createLiveDrop, type LiveDrop, type LiveDropOptions } from "./client.js";
export type { DropNews } from "./drop-watch.js";
export { LiveDropError, type Reason, type Violation } from "./error.js";
export type { OrderWatchOptions } from "./order-watch.js";
export type { WatchOptions, WatchState } from "./resuming.js";
export type { RetryPolicy } from "./retry.js";
