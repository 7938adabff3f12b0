import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const read = (name: string) => readFileSync(join(import.meta.dirname, "..", name), "utf8");

test("the README shows the example that is compiled", () => {
  expect(read("README.md")).toContain(`\`\`\`ts\n${read("examples/buy.ts")}\`\`\``);
});

test("every package may be used", () => {
  const allowed = new Set(["Apache-2.0", "(Apache-2.0 AND BSD-3-Clause)", "MIT", "BSD-3-Clause", "ISC", "0BSD"]);
  // Of the build only, and not changed.
  const inTools = new Set([...allowed, "MPL-2.0"]);
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, { license?: string; dev?: boolean }> };
  const others = Object.entries(packages).filter(([path, it]) => path !== "" && !(it.dev ? inTools : allowed).has(it.license ?? ""));
  expect(others.map(([path, it]) => `${path}: ${it.license}`)).toEqual([]);
});
