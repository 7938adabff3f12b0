/** A server in this process that answers as a test tells it. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { createLiveDrop, type LiveDrop, type LiveDropOptions } from "../src/index.js";
import { AccountService, AuthService, DropService, OrderService, type Tokens, TokensSchema } from "../src/v1.js";

export interface Script {
  accounts?: Partial<ServiceImpl<typeof AccountService>>;
  auth?: Partial<ServiceImpl<typeof AuthService>>;
  drops?: Partial<ServiceImpl<typeof DropService>>;
  orders?: Partial<ServiceImpl<typeof OrderService>>;
}

export function clientOf(script: Script, options: LiveDropOptions = {}): LiveDrop {
  const transport = createRouterTransport((router) => {
    router.service(AccountService, script.accounts ?? {});
    router.service(AuthService, script.auth ?? {});
    router.service(DropService, script.drops ?? {});
    router.service(OrderService, script.orders ?? {});
  });
  return createLiveDrop({ transport, ...options });
}

/** A refusal as the server makes them. */
export function refusal(code: Code, reason: string, more: { metadata?: Record<string, string>; retryAfterMs?: number } = {}): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { domain: "livedrop.dev", reason, metadata: more.metadata ?? {} } };
  const retry = { desc: RetryInfoSchema, value: { retryDelay: durationFromMs(more.retryAfterMs ?? 0) } };
  const details = more.retryAfterMs === undefined ? [info] : [info, retry];
  return new ConnectError("in words", code, { "x-correlation-id": "corr-1" }, details);
}

export const unavailable = (): ConnectError => refusal(Code.Unavailable, "UNAVAILABLE", { retryAfterMs: 1 });

/** A pair of tokens whose access token lasts so long. */
export function tokens(name: string, lastsMs = 900_000): Tokens {
  return create(TokensSchema, {
    accessToken: `access-${name}`,
    accessTokenExpiresAt: timestampFromMs(Date.now() + lastsMs),
    refreshToken: `refresh-${name}`,
  });
}

/** Whose call it is. */
export const bearer = (context: HandlerContext): string => context.requestHeader.get("authorization") ?? "nobody";

/** What a call must throw. */
export async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error("did not throw");
    },
    (thrown: unknown) => thrown,
  );
}
