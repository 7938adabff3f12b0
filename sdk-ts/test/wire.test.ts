/** What comes over grpc-web, and what comes when it breaks. */

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, encodeBinaryHeader } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { createLiveDrop } from "../src/index.js";
import { GetDropResponseSchema } from "../src/v1.js";
import { thrownBy } from "./scripted.js";

type Answer = () => Promise<Response>;

const asked: { url: string; headers: Headers }[] = [];

function client(...answers: Answer[]) {
  asked.length = 0;
  const fetch = (url: unknown, init?: RequestInit) => {
    asked.push({ url: String(url), headers: new Headers(init?.headers) });
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new Error("no more answers")) : answer();
  };
  return createLiveDrop({ baseUrl: "https://api.example", fetch, retry: { firstDelayMs: 1 } }).drops;
}

const frame = (flags: number, data: Uint8Array) => {
  const head = new Uint8Array(5);
  head[0] = flags;
  new DataView(head.buffer).setUint32(1, data.length);
  return [head, data];
};
const message = frame(0, toBinary(GetDropResponseSchema, create(GetDropResponseSchema, { drop: { dropId: "d" } })));
const trailer = (text: string) => frame(128, new TextEncoder().encode(text));
const answer = (body: BlobPart[] | null, headers: Record<string, string> = {}, status = 200): Answer =>
  () => Promise.resolve(new Response(body && new Blob(body), { status, headers: { "content-type": "application/grpc-web+proto", ...headers } }));
const good = answer([...message, ...trailer("grpc-status: 0\r\n")] as BlobPart[]);

const status = create(StatusSchema, {
  code: Code.InvalidArgument,
  message: "request is malformed",
  details: [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: "livedrop.dev", reason: "INVALID_REQUEST" })),
    anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [{ field: "drop_id", description: "must be a UUID" }] })),
    anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(1_500) })),
  ],
});
const details = encodeBinaryHeader(status, StatusSchema);
const facts = {
  code: Code.InvalidArgument, reason: "INVALID_REQUEST", violations: [{ field: "drop_id", description: "must be a UUID" }],
  retryAfterMs: 1_500, correlationId: "c-7",
};

test("an error among the headers is read", async () => {
  const headers = { "grpc-status": "3", "grpc-message": "x", "grpc-status-details-bin": details, "x-correlation-id": "c-7" };
  expect(await thrownBy(client(answer([], headers)).getDrop({}))).toMatchObject(facts);
});

test("an error in the trailers is read", async () => {
  const body = trailer(`grpc-status: 3\r\ngrpc-message: x\r\ngrpc-status-details-bin: ${details}\r\n`) as BlobPart[];
  expect(await thrownBy(client(answer(body, { "x-correlation-id": "c-7" })).getDrop({}))).toMatchObject(facts);
});

test("a reason of somebody else is not ours", async () => {
  const other = create(StatusSchema, {
    code: Code.NotFound, details: [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: "proxy.example", reason: "GONE" }))],
  });
  const headers = { "grpc-status": "5", "grpc-status-details-bin": encodeBinaryHeader(other, StatusSchema) };
  expect(await thrownBy(client(answer([], headers)).getDrop({}))).toMatchObject({ code: Code.NotFound, reason: undefined });
});

test("what broke on the way is tried again", async () => {
  const broken: Answer[] = [
    () => Promise.reject(new TypeError("Failed to fetch")),
    answer(message as BlobPart[]), // no trailers
    answer([...message.slice(0, 1), new Uint8Array([1])] as BlobPart[]), // cut inside a frame
    answer(null, {}, 503),
    answer(null, {}, 502),
  ];
  for (const first of broken) {
    expect((await client(first, good).getDrop({ dropId: "d" })).drop?.dropId).toBe("d");
    expect(asked).toHaveLength(2);
  }
  const error = await thrownBy(client(broken[0] as Answer, broken[0] as Answer, broken[0] as Answer).getDrop({}));
  expect(error).toMatchObject({ code: Code.Unavailable, mayHaveTakenEffect: true, isRetryable: true });
});

test("a server that never answers is given up", async () => {
  const fetch = (_: unknown, init?: RequestInit) =>
    new Promise<Response>((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
  const { drops } = createLiveDrop({ baseUrl: "https://api.example", fetch, attemptTimeoutMs: 20, timeoutMs: 200, retry: { firstDelayMs: 1 } });
  expect(await thrownBy(drops.getDrop({}))).toMatchObject({ code: Code.DeadlineExceeded, mayHaveTakenEffect: true });
});

test("calls are grpc-web with a deadline", async () => {
  await client(good).getDrop({});
  expect(asked[0]?.url).toBe("https://api.example/livedrop.v1.DropService/GetDrop");
  expect(asked[0]?.headers.get("content-type")).toBe("application/grpc-web+proto");
  expect(asked[0]?.headers.get("grpc-timeout")).toMatch(/^\d+m$/);
});
