import { Code } from "@connectrpc/connect";
import type { Calls } from "./calls.js";
import { LiveDropError, localError, readError, spanMs } from "./error.js";
import { type Goodbye, GoodbyeReason } from "./gen/livedrop/v1/stream_pb.js";
import { delayMs, sleep } from "./retry.js";
import type { Credential } from "./session.js";

/** Until the server tells its own. */
const HEARTBEAT_MS = 15_000;
/** Changes remembered, so that repeats are noticed: those after the newest token, which are few. */
const EVENTS_MAX = 100;
/** No server of ours asks for more. */
const RECONNECT_AFTER_MAX_MS = 60_000;
/** A watch that has worked goes on trying for so long without a frame; then it throws. */
const PATIENCE_MS = 60_000;

/** What a watch is told by its caller. */
export interface WatchOptions {
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /** Told `live` with each stream's first frame, and `resuming` when a stream is lost. */
  readonly onState?: (state: WatchState) => void;
}

export type WatchState = "live" | "resuming";

/** What a frame says. */
export type Said<N> =
  /** The first frame: how things are, if the call had no token. */
  | { readonly kind: "begun"; readonly heartbeatMs: number | undefined; readonly news: N | undefined }
  /** Something new. A repeat carries the same id; what has none is no less true when it is told twice. */
  | { readonly kind: "news"; readonly eventId: string; readonly news: N }
  | { readonly kind: "goodbye"; readonly goodbye: Goodbye }
  /** A heartbeat, or a frame of a newer server. */
  | { readonly kind: "nothing" };

/** A call that is answered with a stream, and can go on after any frame of it. */
export interface Watch<F, N> {
  open(resumeToken: string, signal: AbortSignal): AsyncIterable<F>;
  read(frame: F): { readonly resumeToken: string; readonly said: Said<N> };
}

/** Follows something over as many streams as it takes. Ends with the signal only. */
export async function* resuming<F, N>(calls: Calls, watch: Watch<F, N>, options: WatchOptions): AsyncGenerator<N, void, void> {
  const { signal, onState } = options;
  const { attemptTimeoutMs, retry } = calls.settings;
  const events: string[] = [];
  let resumeToken = "";
  let silenceMs = HEARTBEAT_MS * 2;
  let failures = 0;
  let lastFrameAt: number | undefined;

  while (!signal?.aborted) {
    const stream = new Stream(watch.open.bind(watch, resumeToken), signal);
    try {
      const opened = await stream.next(attemptTimeoutMs);
      const credential = calls.session.current;
      onState?.("live");
      for (let frame = opened; ; frame = await stream.next(silenceMs)) {
        failures = 0;
        lastFrameAt = Date.now();
        const { resumeToken: next, said } = watch.read(frame);
        resumeToken = next;
        if (said.kind === "begun") {
          silenceMs = (said.heartbeatMs ?? HEARTBEAT_MS) * 2;
          if (said.news !== undefined) yield said.news;
        } else if (said.kind === "news" && !events.includes(said.eventId)) {
          if (said.eventId !== "") events.push(said.eventId);
          if (events.length > EVENTS_MAX) events.shift();
          yield said.news;
        } else if (said.kind === "goodbye") {
          stream.end();
          await comeBack(calls, said.goodbye, credential, signal);
          break;
        }
      }
    } catch (thrown) {
      if (signal?.aborted) return;
      const error = readError(thrown);
      onState?.("resuming");
      if (error.reason === "RESUME_TOKEN_EXPIRED" && resumeToken !== "") {
        // From the start then: how things are tells all that was missed.
        resumeToken = "";
        continue;
      }
      failures += 1;
      const isPatient = lastFrameAt === undefined ? failures < retry.attempts : Date.now() - lastFrameAt < PATIENCE_MS;
      if (!error.isRetryable || !isPatient) throw error;
      await sleep(delayMs(retry, failures, error.retryAfterMs), signal).catch(() => undefined);
    } finally {
      stream.end();
    }
  }
}

async function comeBack(calls: Calls, goodbye: Goodbye, credential: Credential | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (goodbye.reason === GoodbyeReason.REAUTHENTICATE && credential !== undefined) {
    await calls.session.exchange(credential).catch((why: LiveDropError) => {
      if (why.code === Code.Unauthenticated) throw why;
      // Without a new token the server says what is wrong with the old one.
    });
  }
  await sleep(Math.min(spanMs(goodbye.reconnectAfter) ?? 0, RECONNECT_AFTER_MAX_MS), signal);
}

/** One stream, with a bound on its silence. */
class Stream<F> {
  readonly #controller = new AbortController();
  readonly #frames: AsyncIterator<F>;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = () => this.#controller.abort();

  constructor(open: (signal: AbortSignal) => AsyncIterable<F>, outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.addEventListener("abort", this.#abort, { once: true });
    this.#frames = open(this.#controller.signal)[Symbol.asyncIterator]();
  }

  /** The next frame; throws if none comes in time. */
  async next(withinMs: number): Promise<F> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(localError(Code.Unavailable, "the stream is dead")), withinMs);
    });
    try {
      const frame = await Promise.race([this.#frames.next(), silence]);
      // Without a goodbye it was cut, whatever its last word.
      if (frame.done) throw localError(Code.Unavailable, "the stream was cut");
      return frame.value;
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#outer?.removeEventListener("abort", this.#abort);
    this.#controller.abort();
  }
}
