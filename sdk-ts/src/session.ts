import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code } from "@connectrpc/connect";
import { localError, readError } from "./error.js";
import type { AuthService, Tokens } from "./gen/livedrop/v1/auth_pb.js";

/** For this long after an exchange that got lost on the way, the server answers a repeat (10 s); later it ends the session. */
const EXCHANGE_TIMEOUT_MS = 8_000;
/** A token is exchanged when this share of its life is over. */
const DUE_AFTER = 0.8;

/** A pair of tokens in use. */
export class Credential {
  readonly tokens: Tokens;
  /** From when on the pair should be exchanged, and when the access token ends; undefined if this clock is wrong. */
  readonly life: { readonly due: number; readonly ends: number } | undefined;

  constructor(tokens: Tokens, isFresh: boolean) {
    this.tokens = tokens;
    const now = Date.now();
    const ends = tokens.accessTokenExpiresAt === undefined ? undefined : timestampMs(tokens.accessTokenExpiresAt);
    // A fresh pair that looks expired means a wrong clock here: then only a refusal starts an exchange.
    if (ends !== undefined && !(isFresh && ends <= now)) {
      this.life = { due: now + (ends - now) * DUE_AFTER, ends };
    }
  }

  get header(): string {
    return `Bearer ${this.tokens.accessToken}`;
  }
}

/** One user's tokens, and how they stay fresh. */
export class Session {
  #current: Credential | undefined;
  #exchange: { readonly stale: Credential; readonly done: Promise<void> } | undefined;
  readonly #auth: () => Client<typeof AuthService>;
  readonly #onTokens: (tokens: Tokens | undefined) => void;

  constructor(tokens: Tokens | undefined, auth: () => Client<typeof AuthService>, onTokens: (tokens: Tokens | undefined) => void) {
    this.#current = tokens && new Credential(tokens, false);
    this.#auth = auth;
    this.#onTokens = onTokens;
  }

  get current(): Credential | undefined {
    return this.#current;
  }

  set(tokens: Tokens | undefined, isFresh: boolean): void {
    this.#current = tokens && new Credential(tokens, isFresh);
    this.#onTokens(tokens);
  }

  /** The credential to call with. Exchanges it in the background when it is due, and first if it has ended. */
  async credential(): Promise<Credential | undefined> {
    const current = this.#current;
    const now = Date.now();
    if (current?.life === undefined || now < current.life.due) return current;
    const exchanged = this.exchange(current).catch(() => {
      // The server refuses the old token then, and the call tells why.
    });
    if (now >= current.life.ends) await exchanged;
    return this.#current;
  }

  /** Replaces `stale` by the next pair. Many callers make one exchange. Throws `Unauthenticated` if the session has ended. */
  exchange(stale: Credential): Promise<void> {
    if (this.#exchange?.stale === stale) return this.#exchange.done;
    if (this.#current !== stale) return Promise.resolve();
    const done = this.#exchangeOnce(stale).finally(() => {
      if (this.#exchange?.stale === stale) this.#exchange = undefined;
    });
    this.#exchange = { stale, done };
    return done;
  }

  async #exchangeOnce(stale: Credential): Promise<void> {
    const { refreshToken } = stale.tokens;
    try {
      const { tokens } = await this.#auth().refreshToken({ refreshToken }, { timeoutMs: EXCHANGE_TIMEOUT_MS });
      if (tokens === undefined) throw localError(Code.Internal, "the answer has no tokens");
      // Unless the app signed in or out meanwhile.
      if (this.#current === stale) this.set(tokens, true);
    } catch (thrown) {
      const error = readError(thrown);
      if (error.code === Code.Unauthenticated && this.#current === stale) this.set(undefined, false);
      throw error;
    }
  }
}
