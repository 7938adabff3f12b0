import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Calls } from "./calls.js";
import { type DropNews, watchDrop } from "./drop-watch.js";
import { type Account, AccountService } from "./gen/livedrop/v1/account_pb.js";
import { AuthService, type SignInRequestSchema, type SignUpRequestSchema, type Tokens } from "./gen/livedrop/v1/auth_pb.js";
import { CatalogService } from "./gen/livedrop/v1/catalog_pb.js";
import { DropService } from "./gen/livedrop/v1/drop_pb.js";
import { FollowService } from "./gen/livedrop/v1/follow_pb.js";
import { type Order, OrderService } from "./gen/livedrop/v1/order_pb.js";
import { type OrderWatchOptions, watchOrder } from "./order-watch.js";
import type { WatchOptions } from "./resuming.js";
import { defaultRetry, type RetryPolicy } from "./retry.js";

/** How a client is made. */
export interface LiveDropOptions {
  /** Where the server is, such as `https://api.example.com`. Not used with `transport`. */
  readonly baseUrl?: string;
  /** Tokens that the app kept. */
  readonly tokens?: Tokens;
  /** Told each new pair of tokens, and `undefined` when the session has ended and the user has to sign in. */
  readonly onTokens?: (tokens: Tokens | undefined) => void;
  /** Changes of the retry policy. */
  readonly retry?: Partial<RetryPolicy>;
  /** Longest time of one attempt, in milliseconds. Default 10,000. */
  readonly attemptTimeoutMs?: number;
  /** Longest time of a call with all its attempts, in milliseconds. Default 30,000; `timeoutMs` of a call wins. */
  readonly timeoutMs?: number;
  /** Used instead of the global one. */
  readonly fetch?: typeof globalThis.fetch;
  /** Used instead of grpc-web to `baseUrl`, as in tests. */
  readonly transport?: Transport;
}

/** A user's view of one server. */
export interface LiveDrop {
  /** Accounts and creators. */
  readonly accounts: Client<typeof AccountService>;
  /** Products. */
  readonly catalog: Client<typeof CatalogService>;
  /** Drops and their ledgers. */
  readonly drops: Client<typeof DropService>;
  /** Who follows whom. */
  readonly follows: Client<typeof FollowService>;
  /** Orders. */
  readonly orders: Client<typeof OrderService>;
  /** Another service of the contract, with the same retries, tokens and errors. */
  service<S extends DescService>(service: S): Client<S>;

  /** The present tokens; `undefined` if nobody is signed in. They are secrets. */
  readonly tokens: Tokens | undefined;
  /** Makes an account and signs it in. */
  signUp(request: MessageInitShape<typeof SignUpRequestSchema>): Promise<Account>;
  /** Signs in. */
  signIn(request: MessageInitShape<typeof SignInRequestSchema>): Promise<Account>;
  /** Forgets the tokens, then tells the server. */
  signOut(): Promise<void>;

  /**
   * Follows a drop: as it is, then after each change of its state, in order and none skipped, and with its newest stock. Nobody need be
   * signed in.
   *
   * Outlives streams: it goes on after a goodbye, a broken connection and the end of an access token. It has no end of its own; leave the
   * loop, or abort the signal.
   */
  watchDrop(dropId: string, options?: WatchOptions): AsyncGenerator<DropNews, void, void>;
  /** Follows an order: its present version, then every change, in order and none skipped. Outlives streams, as `watchDrop` does. */
  watchOrder(dropId: string, orderId: string, options?: OrderWatchOptions): AsyncGenerator<Order, void, void>;
}

/** A client of the server at `baseUrl`. Connects with the first call. */
export function createLiveDrop(options: LiveDropOptions): LiveDrop {
  const settings = {
    transport: options.transport ?? grpcWeb(options),
    retry: { ...defaultRetry, ...options.retry },
    attemptTimeoutMs: options.attemptTimeoutMs ?? 10_000,
    timeoutMs: options.timeoutMs ?? 30_000,
  };
  const calls = new Calls(settings, options.tokens, (tokens) => options.onTokens?.(tokens));
  const { session } = calls;
  const service = <S extends DescService>(service: S): Client<S> => createClient(service, calls);
  const auth = service(AuthService);
  const enter = ({ account, tokens }: { account?: Account | undefined; tokens?: Tokens | undefined }): Account => {
    if (account === undefined || tokens === undefined) throw new TypeError("the server's answer lacks the account or its tokens");
    session.set(tokens, true);
    return account;
  };
  return {
    accounts: service(AccountService),
    catalog: service(CatalogService),
    drops: service(DropService),
    follows: service(FollowService),
    orders: service(OrderService),
    service,
    get tokens() {
      return session.current?.tokens;
    },
    signUp: async (request) => enter(await auth.signUp(request)),
    signIn: async (request) => enter(await auth.signIn(request)),
    signOut: async () => {
      const tokens = session.current?.tokens;
      if (tokens === undefined) return;
      session.set(undefined, false);
      await auth.signOut({ refreshToken: tokens.refreshToken });
    },
    watchDrop: (dropId, options = {}) => watchDrop(calls, dropId, options),
    watchOrder: (dropId, orderId, options = {}) => watchOrder(calls, dropId, orderId, options),
  };
}

function grpcWeb({ baseUrl, fetch }: LiveDropOptions): Transport {
  if (baseUrl === undefined) throw new TypeError("say where the server is: createLiveDrop({ baseUrl })");
  return createGrpcWebTransport(fetch === undefined ? { baseUrl } : { baseUrl, fetch });
}
