import { Code } from "@connectrpc/connect";
import { type LiveDropError, localError } from "./error.js";

/** How calls are repeated that failed for a reason which may pass. Repeats keep the request id. */
export interface RetryPolicy {
  /** Attempts per call at most, the first included. Default 3. */
  readonly attempts: number;
  /** Upper bound of the delay before the second attempt, in milliseconds; it doubles with each. Default 100. */
  readonly firstDelayMs: number;
  /** Upper bound of any delay that the server did not ask for. Default 5,000. */
  readonly maxDelayMs: number;
  /** Repeats per hundred calls, so that they don't make an overload worse. Default 10. */
  readonly budgetPercent: number;
  /** How many repeats may come at once. Default 10. */
  readonly budgetBurst: number;
}

export const defaultRetry: RetryPolicy = { attempts: 3, firstDelayMs: 100, maxDelayMs: 5_000, budgetPercent: 10, budgetBurst: 10 };

/** The wait after this many attempts: random below a bound that doubles, unless the server asks for one. */
export function delayMs(policy: RetryPolicy, attempts: number, askedMs: number | undefined): number {
  if (askedMs !== undefined && askedMs > 0) {
    // All who were refused together were told the same.
    return askedMs * (1 + Math.random() / 10);
  }
  const bound = Math.min(policy.firstDelayMs * 2 ** Math.min(attempts - 1, 16), policy.maxDelayMs);
  return Math.random() * bound;
}

/** Calls put in, repeats take out; shared by all calls of a client. */
export class Budget {
  readonly #policy: RetryPolicy;
  // In hundredths of a repeat.
  #left: number;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
    this.#left = policy.budgetBurst * 100;
  }

  putCall(): void {
    this.#left = Math.min(this.#left + this.#policy.budgetPercent, this.#policy.budgetBurst * 100);
  }

  takeRepeat(): boolean {
    if (this.#left < 100) return false;
    this.#left -= 100;
    return true;
  }
}

/** Waits, unless `signal` ends it. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** What a call throws that its caller ended. */
export function cancelled(signal: AbortSignal | undefined): LiveDropError {
  return localError(Code.Canceled, "cancelled by the caller", signal?.reason);
}
