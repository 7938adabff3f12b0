import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { ErrorReason } from "./gen/livedrop/v1/error_pb.js";

/** Reasons of this version's contract; a newer server may send others. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** A field of a request that breaks a rule. */
export interface Violation {
  /** Path of the field, as in `items[3].unit_price.amount_minor`. */
  readonly field: string;
  /** What the field must be. */
  readonly description: string;
}

interface Facts {
  readonly code: Code;
  readonly message: string;
  readonly reason?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly retryAfterMs?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly mayHaveTakenEffect: boolean;
  readonly requestId?: string | undefined;
  readonly retryCount?: number;
  readonly cause?: unknown;
}

/** Why a call failed. Branch on `reason` or `code`, never on the message. */
export class LiveDropError extends Error {
  override readonly name = "LiveDropError";
  /** The gRPC code. A broken connection is `Unavailable`, a call that took too long `DeadlineExceeded`, whoever noticed it. */
  readonly code: Code;
  /** The server's reason, such as `SOLD_OUT`. */
  readonly reason: Reason | (string & {}) | undefined;
  /** Facts for programs; the contract names the keys of each reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** All fields of the request that break a rule. */
  readonly violations: readonly Violation[];
  /** How long the server asks to wait before the next try. */
  readonly retryAfterMs: number | undefined;
  /** What support can find the call by. */
  readonly correlationId: string | undefined;
  /** The call's request id, if it has one: to be sent again when the outcome is open. */
  readonly requestId: string | undefined;
  /** The `retryCount` that the next try with the same request id has to carry. */
  readonly retryCount: number;
  /** Nobody knows whether the call took effect: repeat it with the same request id to find out. */
  readonly mayHaveTakenEffect: boolean;

  /** @internal */
  constructor(facts: Facts) {
    super(facts.reason === undefined ? facts.message : `${facts.reason}: ${facts.message}`, { cause: facts.cause });
    this.code = facts.code;
    this.reason = facts.reason;
    this.metadata = facts.metadata ?? {};
    this.violations = facts.violations ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.correlationId = facts.correlationId;
    this.requestId = facts.requestId;
    this.retryCount = facts.retryCount ?? 0;
    this.mayHaveTakenEffect = facts.mayHaveTakenEffect;
  }

  /** The same request, with the same request id, may succeed later, after `retryAfterMs`. */
  get isRetryable(): boolean {
    switch (this.code) {
      case Code.Unavailable:
      case Code.DeadlineExceeded:
        return true;
      // Without a delay it is no limit in time, as for a message that is too large.
      case Code.ResourceExhausted:
        return this.retryAfterMs !== undefined;
      default:
        return false;
    }
  }

  /** @internal Completes an attempt's error with what is known of the whole call. */
  ofCall(requestId: string | undefined, retryCount: number): LiveDropError {
    // The last attempt did nothing; whether an earlier one did, only some refusals tell.
    const isOpen = this.isRetryable || this.code === Code.ResourceExhausted || this.code === Code.Unauthenticated;
    const mayHaveTakenEffect = this.mayHaveTakenEffect || (isOpen && retryCount > 0);
    const { code, reason, metadata, violations, retryAfterMs, correlationId, cause } = this;
    const message = reason === undefined ? this.message : this.message.slice(reason.length + 2);
    return new LiveDropError({
      code, message, reason, metadata, violations, retryAfterMs, correlationId, cause, requestId, retryCount, mayHaveTakenEffect,
    });
  }
}

/** @internal An error that this side made: the server never saw the call, or said nothing. */
export function localError(code: Code, message: string, cause?: unknown): LiveDropError {
  return new LiveDropError({ code, message, cause, mayHaveTakenEffect: code !== Code.Unauthenticated });
}

/** Reads whatever a transport threw. */
export function readError(thrown: unknown): LiveDropError {
  if (thrown instanceof LiveDropError) return thrown;
  const error = ConnectError.from(thrown);
  if (!error.isWireError && isBrokenConnection(error)) {
    return localError(Code.Unavailable, `the connection broke: ${error.rawMessage}`, thrown);
  }
  const info = error.findDetails(ErrorInfoSchema).find((it) => it.domain === "livedrop.dev");
  const request = error.findDetails(BadRequestSchema)[0];
  return new LiveDropError({
    code: error.code,
    message: error.rawMessage,
    reason: info?.reason,
    metadata: { ...info?.metadata },
    violations: request?.fieldViolations.map(({ field, description }) => ({ field, description })) ?? [],
    retryAfterMs: spanMs(error.findDetails(RetryInfoSchema)[0]?.retryDelay),
    correlationId: error.metadata.get("x-correlation-id") ?? undefined,
    mayHaveTakenEffect: isOpenOutcome(error.code),
    cause: thrown,
  });
}

/** Such as a failed fetch, or an answer without its end. The transport has no code of its own for these. */
function isBrokenConnection(error: ConnectError): boolean {
  return error.code === Code.Unknown || error.rawMessage.startsWith("protocol error: ");
}

function isOpenOutcome(code: Code): boolean {
  switch (code) {
    case Code.Canceled:
    case Code.Unknown:
    case Code.DeadlineExceeded:
    case Code.Internal:
    case Code.Unavailable:
    case Code.DataLoss:
      return true;
    default:
      return false;
  }
}

/** A span of the contract in milliseconds. */
export function spanMs(span: Duration | undefined): number | undefined {
  return span === undefined ? undefined : durationMs(span);
}
