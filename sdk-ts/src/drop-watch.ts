import { clone, equals } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import type { Calls } from "./calls.js";
import { spanMs } from "./error.js";
import { type Drop, type DropChange, DropSchema, DropService, type WatchDropResponse } from "./gen/livedrop/v1/drop_pb.js";
import type { DropStock } from "./gen/livedrop/v1/drop_state_pb.js";
import { resuming, type Said, type WatchOptions } from "./resuming.js";

/** What a watch tells. */
export interface DropNews {
  /** The drop, as it is then. */
  readonly drop: Drop;
  /** What has happened to it; unset if only its stock has changed, and of the first news. */
  readonly change: DropChange | undefined;
  /** `Date.now() + clockOffsetMs` is the server's time: what a countdown goes by. */
  readonly clockOffsetMs: number;
}

interface Told {
  readonly what: { drop: Drop } | { change: DropChange } | { stock: DropStock };
  readonly clockOffsetMs: number;
}

/** Follows a drop; see `LiveDrop.watchDrop`. */
export async function* watchDrop(calls: Calls, dropId: string, options: WatchOptions): AsyncGenerator<DropNews, void, void> {
  const drops = createClient(DropService, calls);
  const watch = { open: (resumeToken: string, signal: AbortSignal) => drops.watchDrop({ dropId, resumeToken }, { signal }), read };
  let newest: Drop | undefined;
  for await (const { what, clockOffsetMs } of resuming<WatchDropResponse, Told>(calls, watch, options)) {
    const drop = put(what, newest);
    // A change before the first snapshot can't be placed; a stream without a token begins with one.
    if (drop === undefined) continue;
    const change = "change" in what ? what.change : undefined;
    const isSame = newest !== undefined && equals(DropSchema, newest, drop);
    newest = drop;
    if (change !== undefined || !isSame) yield { drop: clone(DropSchema, drop), change, clockOffsetMs };
  }
}

/** The drop as it is after what was told. */
export function put(what: Told["what"], newest: Drop | undefined): Drop | undefined {
  if ("drop" in what) return what.drop;
  if ("change" in what && what.change.drop !== undefined) return what.change.drop;
  if (newest === undefined) return undefined;
  const drop = clone(DropSchema, newest);
  const { seq, soldOut } = "change" in what ? what.change : what.stock;
  drop.soldOut = soldOut;
  if (seq > drop.seq) drop.seq = seq;
  if ("change" in what) {
    drop.state = what.change.state;
    return drop;
  }
  for (const { itemId, stock } of what.stock.items) {
    const item = drop.items.find((it) => it.itemId === itemId);
    if (item !== undefined && stock !== undefined) item.stock = stock;
  }
  return drop;
}

function read({ resumeToken, serverTime, frame }: WatchDropResponse): { resumeToken: string; said: Said<Told> } {
  const clockOffsetMs = serverTime === undefined ? 0 : timestampMs(serverTime) - Date.now();
  const told = (what: Told["what"]): Told => ({ what, clockOffsetMs });
  const said = (): Said<Told> => {
    switch (frame.case) {
      case "snapshot": {
        const { drop, heartbeatInterval } = frame.value;
        return { kind: "begun", heartbeatMs: spanMs(heartbeatInterval), news: drop && told({ drop }) };
      }
      case "change":
        return { kind: "news", eventId: frame.value.eventId, news: told({ change: frame.value }) };
      case "stock":
        return { kind: "news", eventId: "", news: told({ stock: frame.value }) };
      case "goodbye":
        return { kind: "goodbye", goodbye: frame.value };
      case "heartbeat":
      case undefined:
        return { kind: "nothing" };
    }
  };
  return { resumeToken, said: said() };
}
