/**
 * Makes the door of each floor (dist/FLOOR/index.js) one file, and each of its workers, after tsc has compiled every file by
 * itself.
 *
 * A question loads the doors of five floors: 250 files, a quarter of its time before; as bundles they load in a fifth of
 * that. What a door loads only when it is called (`await import`) stays apart, as dist/FLOOR/chunk-*.js. All outputs lie in
 * the folder of their floor, where workers are found beside them and other floors above. Files that are in a bundle are
 * removed: nobody loads them any more. Run twice, it would bundle bundles: the build always begins with tsc.
 */
import { existsSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { rolldown } from "rolldown";

// The real one: the bundler knows files by their real paths.
const dist = realpathSync(process.argv[2] ?? fileURLToPath(new URL("../dist", import.meta.url)));

for (const floor of readdirSync(dist)) {
  const folder = join(dist, floor);
  const door = join(folder, "index.js");
  if (!existsSync(door)) continue;
  const names = readdirSync(folder);
  for (const name of names.filter((each) => each.startsWith("chunk-"))) rmSync(join(folder, name));
  await bundle(folder, ["index.js", ...names.filter((name) => name.endsWith("-worker.js"))]);
}

async function bundle(folder, names) {
  const bundled = await rolldown({
    input: Object.fromEntries(names.map((name) => [name.replace(".js", ""), join(folder, name)])),
    platform: "neutral",
    // Other floors and packages are loaded from where they are. Files are asked about as written, and by their path.
    external: (id) => !id.startsWith("./") && !id.startsWith(join(folder, "/")),
    treeshake: false,
    onLog(_, { message }) {
      throw new Error(`${folder}: ${message}`);
    },
  });
  const { output } = await bundled.write({
    dir: folder,
    entryFileNames: "[name].js",
    chunkFileNames: "chunk-[name].js",
  });
  await bundled.close();
  const written = new Set(output.map(({ fileName }) => join(folder, fileName)));
  for (const { moduleIds } of output) {
    for (const id of moduleIds) if (id.startsWith(join(folder, "/")) && !written.has(id)) rmSync(id);
  }
}
