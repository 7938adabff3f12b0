/** The contract's messages, enums and services, generated from `proto/livedrop/v1`. */

export * from "./gen/livedrop/v1/account_pb.js";
export * from "./gen/livedrop/v1/auth_pb.js";
export * from "./gen/livedrop/v1/catalog_pb.js";
export * from "./gen/livedrop/v1/drop_pb.js";
export * from "./gen/livedrop/v1/drop_state_pb.js";
export * from "./gen/livedrop/v1/error_pb.js";
export * from "./gen/livedrop/v1/follow_pb.js";
export * from "./gen/livedrop/v1/ledger_pb.js";
export * from "./gen/livedrop/v1/money_pb.js";
export * from "./gen/livedrop/v1/order_pb.js";
export * from "./gen/livedrop/v1/stream_pb.js";
