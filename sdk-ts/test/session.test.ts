import { Code } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import type { Tokens } from "../src/v1.js";
import { bearer, clientOf, refusal, type Script, thrownBy, tokens, unavailable } from "./scripted.js";

/** A server that takes the newest access token only, and what it was asked. */
function guarded(current: string) {
  const seen: string[] = [];
  const exchanged: string[] = [];
  const state = { current };
  const script: Script = {
    accounts: {
      getMe: (_, context) => {
        seen.push(bearer(context));
        if (bearer(context) !== `Bearer access-${state.current}`) throw refusal(Code.Unauthenticated, "UNAUTHENTICATED");
        return {};
      },
    },
    auth: {
      refreshToken: ({ refreshToken }) => {
        exchanged.push(refreshToken);
        state.current = `${state.current}+`;
        return { tokens: tokens(state.current) };
      },
    },
  };
  return { seen, exchanged, script };
}

test("many refused calls make one exchange", async () => {
  const { seen, exchanged, script } = guarded("b");
  const told: (Tokens | undefined)[] = [];
  const client = clientOf(script, { tokens: tokens("a"), onTokens: (it) => told.push(it) });
  await Promise.all(Array.from({ length: 8 }, () => client.accounts.getMe({})));
  expect(exchanged).toEqual(["refresh-a"]);
  expect(told.map((it) => it?.accessToken)).toEqual(["access-b+"]);
  expect(client.tokens?.refreshToken).toBe("refresh-b+");
  expect(seen.filter((it) => it === "Bearer access-b+")).toHaveLength(8);
});

test("a token is exchanged in the background before it ends", async () => {
  const { seen, exchanged, script } = guarded("a");
  const kept = tokens("a", 900_000);
  const client = clientOf(script, { tokens: kept });
  await client.accounts.getMe({});
  expect(exchanged).toEqual([]);
  vi.setSystemTime(Date.now() + 730_000);
  try {
    // The server of this test takes the new token only, so the call with the old one is repeated.
    await client.accounts.getMe({});
    await vi.waitFor(() => expect(client.tokens?.accessToken).toBe("access-a+"));
    expect(exchanged).toEqual(["refresh-a"]);
    expect(seen[1]).toBe("Bearer access-a");
  } finally {
    vi.useRealTimers();
  }
});

test("a token that has ended is exchanged first", async () => {
  const { seen, exchanged, script } = guarded("a");
  await clientOf(script, { tokens: tokens("a", -1_000) }).accounts.getMe({});
  expect([exchanged, seen]).toEqual([["refresh-a"], ["Bearer access-a+"]]);
});

test("a session that is over is told, and what anyone may call goes on", async () => {
  const over = () => {
    throw refusal(Code.Unauthenticated, "UNAUTHENTICATED");
  };
  const seen: string[] = [];
  const told: (Tokens | undefined)[] = [];
  const client = clientOf(
    {
      auth: { refreshToken: over },
      accounts: { getMe: over },
      drops: {
        getDrop: (_, context) => {
          seen.push(bearer(context));
          return bearer(context) === "nobody" ? { drop: { dropId: "d" } } : over();
        },
      },
    },
    { tokens: tokens("a"), onTokens: (it) => told.push(it) },
  );
  expect((await client.drops.getDrop({ dropId: "d" })).drop?.dropId).toBe("d");
  expect(seen).toEqual(["Bearer access-a", "nobody"]);
  expect(told).toEqual([undefined]);
  expect(await thrownBy(client.accounts.getMe({}))).toMatchObject({ code: Code.Unauthenticated, reason: "UNAUTHENTICATED" });
});

test("a server that can't exchange now does not end the session", async () => {
  const { script } = guarded("b");
  script.auth = {
    refreshToken: () => {
      throw unavailable();
    },
  };
  const client = clientOf(script, { tokens: tokens("a") });
  expect(await thrownBy(client.accounts.getMe({}))).toMatchObject({ code: Code.Unavailable });
  expect(client.tokens?.accessToken).toBe("access-a");
});

test("signing in and out is nobody's call, and sets the tokens", async () => {
  const seen: string[] = [];
  const client = clientOf(
    {
      auth: {
        signIn: (_, context) => {
          seen.push(bearer(context));
          return { account: { accountId: "ann" }, tokens: tokens("new") };
        },
        signOut: ({ refreshToken }, context) => {
          seen.push(bearer(context), refreshToken);
          return {};
        },
      },
    },
    { tokens: tokens("old", -1_000) },
  );
  expect((await client.signIn({ email: "ann@example.com", password: "x" })).accountId).toBe("ann");
  expect(client.tokens?.accessToken).toBe("access-new");
  await client.signOut();
  expect(client.tokens).toBeUndefined();
  expect(seen).toEqual(["nobody", "nobody", "refresh-new"]);
});
