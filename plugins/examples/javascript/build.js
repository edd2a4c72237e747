// node build.js WIT OUTPUT: makes a component of momentum.js.

import { componentize } from "@bytecodealliance/componentize-js";
import { writeFile } from "node:fs/promises";

const [witPath, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: "momentum.js",
  witPath,
  worldName: "strategy",
  // Each of these would import WASI, and the host links none of it.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
  // The interpreter sees no environment while its memory is prepared.
  env: false,
});
await writeFile(output, component);
