/** A real `livedrop dev` on this machine, with data of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const STARTS_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 10_000;

async function freePort(): Promise<number> {
  const probe: Server = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export class LiveDropServer {
  #process: ChildProcess | undefined;
  readonly #binary: string;
  readonly #data = mkdtempSync(join(tmpdir(), "livedrop-e2e-"));
  readonly port: number;
  readonly #metricsPort: number;

  private constructor(binary: string, port: number, metricsPort: number) {
    this.#binary = binary;
    this.port = port;
    this.#metricsPort = metricsPort;
  }

  static async start(binary: string): Promise<LiveDropServer> {
    const server = new LiveDropServer(binary, await freePort(), await freePort());
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the process, and waits until it listens. */
  async run(): Promise<void> {
    const listen = ["--listen", `127.0.0.1:${this.port}`, "--metrics-listen", `127.0.0.1:${this.#metricsPort}`];
    const child = spawn(this.#binary, ["dev", "--empty", "--data", join(this.#data, "store"), ...listen], {
      stdio: ["ignore", "pipe", "inherit"],
      // Settings of whoever runs the tests do not count.
      env: { TMPDIR: tmpdir() },
    });
    this.#process = child;
    await new Promise<void>((ready, failed) => {
      const timer = setTimeout(() => failed(new Error("the server did not start in time")), STARTS_WITHIN_MS);
      let text = "";
      child.on("error", failed);
      child.on("exit", (code) => failed(new Error(`the server left with ${code}`)));
      child.stdout?.on("data", (chunk) => {
        text += chunk;
        if (!text.includes("listening on ")) return;
        clearTimeout(timer);
        ready();
      });
    });
  }

  /** Ends the process as an operator would; throws if it takes too long. */
  async end(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const left = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), ENDS_WITHIN_MS);
    const [code, by] = await left;
    clearTimeout(late);
    if (signal === "SIGTERM" && code !== 0) throw new Error(`the server left with ${code ?? by}`);
  }

  /** The sum of a metric's series. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.#data, { recursive: true, force: true });
  }
}
