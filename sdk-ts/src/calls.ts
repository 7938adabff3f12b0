import { clone, create, type DescMessage, type DescMethodStreaming, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import { Code, type ContextValues, createClient, type StreamResponse, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { LiveDropError, readError } from "./error.js";
import { AuthService } from "./gen/livedrop/v1/auth_pb.js";
import { Budget, cancelled, delayMs, type RetryPolicy, sleep } from "./retry.js";
import { type Credential, Session } from "./session.js";
import type { Tokens } from "./v1.js";

/** Calls that get tokens or end them: they are made in nobody's name. */
const ANONYMOUS = new Set(["SignUp", "SignIn", "RefreshToken", "SignOut"]);
/** Calls without a request id that may be sent twice all the same. */
const IDEMPOTENT = new Set([
  ...["SignIn", "SignOut", "RefreshToken"],
  ...["UpdateMe", "DeleteAccount", "BecomeCreator", "UpdateCreator"],
  ...["Follow", "Unfollow"],
  ...["UpdateProduct", "ArchiveProduct"],
  ...["UpdateDrop", "EndDrop"],
  "CancelOrder",
]);
const READS = /^(Get|List|Search|BatchGet|Check)/;

type Method = DescMethodUnary | DescMethodStreaming;

/** What a client's calls have in common. */
export interface CallSettings {
  readonly transport: Transport;
  readonly retry: RetryPolicy;
  readonly attemptTimeoutMs: number;
  readonly timeoutMs: number;
}

/** A request on its way: one request id and one deadline, however often it is sent. */
interface Sending {
  readonly message: Message & Record<string, unknown>;
  readonly requestId: string | undefined;
  readonly countsRetries: boolean;
  readonly mayRepeat: boolean;
  readonly deadline: number;
  attempts: number;
  retryCount: number;
}

/** A new request id: a random UUID. Works on plain HTTP too, where browsers have no `randomUUID`. */
export function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A transport that gives requests their ids, signs them, repeats them, and throws `LiveDropError` only. */
export class Calls implements Transport {
  readonly session: Session;
  readonly budget: Budget;
  readonly settings: CallSettings;

  constructor(settings: CallSettings, tokens: Tokens | undefined, onTokens: (tokens: Tokens | undefined) => void) {
    this.settings = settings;
    this.budget = new Budget(settings.retry);
    this.session = new Session(tokens, () => createClient(AuthService, this), onTokens);
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    ...[method, signal, timeoutMs, header, input, context]: Parameters<Transport["unary"]>
  ): Promise<UnaryResponse<I, O>> {
    const sending = this.#start(method, create(method.input, input), timeoutMs);
    const send = (credential: Credential | undefined) =>
      this.#send<I, O>(sending, method as DescMethodUnary<I, O>, signal, header, context, credential);
    try {
      return await this.#signed(method, send);
    } catch (thrown) {
      throw readError(thrown).ofCall(sending.requestId, sending.retryCount);
    }
  }

  /** Opens a stream, once: for those who use the generated clients. */
  async stream<I extends DescMessage, O extends DescMessage>(
    ...[method, signal, timeoutMs, header, input, context]: Parameters<Transport["stream"]>
  ): Promise<StreamResponse<I, O>> {
    this.budget.putCall();
    const open = (credential: Credential | undefined) =>
      this.settings.transport.stream(method, signal, timeoutMs, signedHeader(header, credential), input, context);
    try {
      const answer = (await this.#signed(method, open)) as unknown as StreamResponse<I, O>;
      return { ...answer, message: readable(answer.message) };
    } catch (thrown) {
      throw readError(thrown);
    }
  }

  /** Does it in the user's name, with one forced exchange of tokens if the server refuses them. */
  async #signed<T>(method: Method, act: (credential: Credential | undefined) => Promise<T>): Promise<T> {
    if (method.parent.typeName === AuthService.typeName && ANONYMOUS.has(method.name)) return act(undefined);
    const credential = await this.session.credential();
    try {
      return await act(credential);
    } catch (thrown) {
      const error = readError(thrown);
      if (error.code !== Code.Unauthenticated || credential === undefined) throw error;
      await this.session.exchange(credential).catch((why: LiveDropError) => {
        if (why.code !== Code.Unauthenticated) throw why;
        // The session is over. Anyone may make some calls; of the others the server says again that they need one.
      });
      return await act(this.session.current);
    }
  }

  #start(method: Method, input: Message, timeoutMs: number | undefined): Sending {
    this.budget.putCall();
    // The caller's own message stays as it is.
    const message = clone(method.input, input) as Sending["message"];
    const hasRequestId = method.input.field["requestId"] !== undefined;
    if (hasRequestId && !message["requestId"]) message["requestId"] = newRequestId();
    const countsRetries = method.input.field["retryCount"] !== undefined;
    return {
      message,
      requestId: hasRequestId ? String(message["requestId"]) : undefined,
      countsRetries,
      mayRepeat: mayRepeat(method),
      deadline: Date.now() + (timeoutMs ?? this.settings.timeoutMs),
      attempts: 0,
      retryCount: countsRetries ? Number(message["retryCount"]) : 0,
    };
  }

  async #send<I extends DescMessage, O extends DescMessage>(
    sending: Sending,
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    header: HeadersInit | undefined,
    context: ContextValues | undefined,
    credential: Credential | undefined,
  ): Promise<UnaryResponse<I, O>> {
    for (;;) {
      sending.attempts += 1;
      if (sending.countsRetries) sending.message["retryCount"] = sending.retryCount;
      const left = Math.max(sending.deadline - Date.now(), 1);
      const timeoutMs = Math.min(this.settings.attemptTimeoutMs, left);
      const message = clone(method.input, sending.message as never);
      try {
        return await this.settings.transport.unary(method, signal, timeoutMs, signedHeader(header, credential), message, context);
      } catch (thrown) {
        if (signal?.aborted) throw cancelled(signal);
        const error = readError(thrown);
        if (error.mayHaveTakenEffect) sending.retryCount += 1;
        await sleep(this.#delay(sending, error), signal);
      }
    }
  }

  /** How long to wait before the next attempt; throws if there is none. */
  #delay(sending: Sending, error: LiveDropError): number {
    const { retry } = this.settings;
    const isHarmless = sending.mayRepeat || !error.mayHaveTakenEffect;
    if (!error.isRetryable || !isHarmless || sending.attempts >= retry.attempts) throw error;
    const delay = delayMs(retry, sending.attempts, error.retryAfterMs);
    if (Date.now() + delay >= sending.deadline || !this.budget.takeRepeat()) throw error;
    return delay;
  }
}

/** Whether a call may be sent again when nobody knows whether it took effect. What is not known to be harmless is not. */
export function mayRepeat({ name, input }: Pick<Method, "name" | "input">): boolean {
  return input.field["requestId"] !== undefined || IDEMPOTENT.has(name) || READS.test(name);
}

function signedHeader(header: HeadersInit | undefined, credential: Credential | undefined): Headers {
  const signed = new Headers(header);
  if (credential) signed.set("authorization", credential.header);
  return signed;
}

async function* readable<T>(frames: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* frames;
  } catch (thrown) {
    throw readError(thrown);
  }
}
