/**
 * The syntax of the commands that a process runs: `P mmap ...` and the others, one function each.
 *
 * The name of the process and of the command are taken already. Invariant: whatever a scenario runner would read as
 * something else without saying so (a flag it does not know, `dontunmap` in the place of an address, `ro` in the place of
 * a size) is refused here.
 */
import {
  ADVICES,
  type CommandBody,
  MAP_FLAGS,
  type MapFlag,
  PROTECTION_EXEC,
  PROTECTION_READ,
  PROTECTION_WRITE,
  PWRITE_CHUNK_BYTES,
  TOUCH_STEP_BYTES,
} from "./command.ts";
import type { LineWords } from "./line-words.ts";
import { didYouMean } from "./nearest-word.ts";
import { quoteWord } from "./scenario-error.ts";
import {
  CHUNK_BYTES_MAX,
  DESCRIPTORS_MAX,
  NODES_MAX,
  PATH_LENGTH_MAX,
  RINGS_MAX,
  SIZE_MAX,
} from "./scenario-limits.ts";

/** Reads the words behind `P COMMAND`. */
type Syntax = (words: LineWords, process: string) => CommandBody;

const PROTECTION_OF: Readonly<Record<string, number>> = {
  r: PROTECTION_READ,
  w: PROTECTION_WRITE,
  x: PROTECTION_EXEC,
};

function takeProtection(words: LineWords): number {
  const word = words.take("the protection");
  if (word === undefined || word.text === "n") return 0;
  let protection = 0;
  for (let index = 0; index < word.text.length; index++) {
    const letter = word.text[index];
    if (Object.hasOwn(PROTECTION_OF, letter)) protection |= PROTECTION_OF[letter];
    else {
      const hint = "r, w and x in any combination, or n alone for none";
      words.complain(word.column + index, `there is no protection ${quoteWord(letter)}`, hint);
    }
  }
  return protection;
}

function takeMapFlags(words: LineWords): MapFlag[] {
  const word = words.take("the flags");
  if (word === undefined) return [];
  const flags: MapFlag[] = [];
  let column = word.column;
  for (const text of word.text.split(",")) {
    const flag = MAP_FLAGS.find((known) => known === text);
    if (flag === undefined) words.complain(column, `there is no flag ${quoteWord(text)}`, didYouMean(text, MAP_FLAGS));
    else if (flags.includes(flag)) words.complain(column, `the flag ${flag} is there twice`);
    else flags.push(flag);
    column += text.length + 1;
  }
  const kinds = flags.filter((flag) => flag === "priv" || flag === "shared" || flag === "droppable");
  if (kinds.length > 1) words.complain(word.column, `${kinds.join(" and ")} exclude each other`, "choose one of them");
  return flags;
}

const mmap: Syntax = (words, process) => {
  const region = words.name("the mapping's name");
  const { address, lengthBytes } = words.range();
  const protection = takeProtection(words);
  const flags = takeMapFlags(words);
  let descriptor: number | undefined;
  let offsetBytes: number | undefined;
  while (words.hasMore) {
    const word = words.take("an option");
    if (word === undefined) break;
    const [name, value] = [word.text.slice(0, word.text.indexOf("=") + 1), word.text.slice(word.text.indexOf("=") + 1)];
    const at = { text: value, column: word.column + name.length };
    if ((name === "fd=" && descriptor !== undefined) || (name === "off=" && offsetBytes !== undefined)) {
      words.complain(word.column, `${name} is there twice`);
    } else if (name === "fd=") {
      descriptor = words.countOf(at, "the descriptor's number", { least: 0, most: DESCRIPTORS_MAX - 1 });
    } else if (name === "off=") offsetBytes = words.sizeOf(at, "the offset");
    else words.complain(word.column, `there is no option ${quoteWord(word.text)}`, "mmap has fd=K and off=O");
  }
  const file = descriptor === undefined ? {} : { descriptor };
  return {
    kind: "mmap",
    process,
    region,
    address,
    lengthBytes,
    protection,
    flags,
    ...file,
    offsetBytes: offsetBytes ?? 0,
  };
};

/** Commands that are a range and no more. */
const onRange =
  (kind: "munmap" | "mlock" | "mlock_onfault" | "munlock" | "uffdwp" | "unuffdwp"): Syntax =>
  (words, process) => ({ kind, process, ...words.range() });

const mremap: Syntax = (words, process) => {
  const old = words.range();
  const column = words.column;
  const newLengthBytes = words.size("the new length");
  if (words.peeked === "dontunmap") {
    words.complain(words.column, "dontunmap needs a new address", "write OLD LEN NEWLEN NEWADDR dontunmap");
    words.takeIf("dontunmap");
    return { kind: "mremap", process, ...old, newLengthBytes, dontUnmap: true };
  }
  if (!words.hasMore) {
    words.checkEnd(old.address, newLengthBytes, column);
    return { kind: "mremap", process, ...old, newLengthBytes, dontUnmap: false };
  }
  const newAddress = words.address("the new address");
  words.checkEnd(newAddress, newLengthBytes, column);
  return { kind: "mremap", process, ...old, newLengthBytes, newAddress, dontUnmap: words.takeIf("dontunmap") };
};

const touch: Syntax = (words, process) => {
  const range = words.range();
  const access = words.choice("access", ["r", "w"], () => "it is r or w");
  const stepBytes = words.hasMore ? words.size("the step", { least: 1, most: SIZE_MAX }) : TOUCH_STEP_BYTES;
  return { kind: "touch", process, ...range, write: access === "w", stepBytes };
};

const memfd: Syntax = (words, process) => {
  const descriptor = words.descriptor();
  const sizeBytes = words.size("the size");
  return { kind: "memfd", process, descriptor, sizeBytes, hugetlb: words.takeIf("hugetlb") };
};

const FILE_PATH = /^\/(?:tmpfs|mnt)\/[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const open: Syntax = (words, process) => {
  const descriptor = words.descriptor();
  const word = words.take("the path");
  const path = word?.text ?? "";
  if (word !== undefined && (!FILE_PATH.test(path) || path.length > PATH_LENGTH_MAX)) {
    words.complain(
      word.column,
      `there is no file ${quoteWord(path)}`,
      "files lie in /tmpfs (huge=always) and /mnt (ext4)",
    );
  }
  if (words.peeked === "ro") {
    words.complain(words.column, "ro comes behind a size", "write open K PATH SIZE ro");
    words.takeIf("ro");
  }
  const size = words.hasMore ? { sizeBytes: words.size("the size") } : {};
  return { kind: "open", process, descriptor, path, ...size, readOnly: words.takeIf("ro") };
};

const onDescriptor =
  (kind: "close" | "fsync" | "fadvise"): Syntax =>
  (words, process) => ({ kind, process, descriptor: words.descriptor() });

const fallocate: Syntax = (words, process) => {
  const descriptor = words.descriptor();
  const offsetBytes = words.size("the offset");
  const lengthBytes = words.size("the length");
  return { kind: "fallocate", process, descriptor, offsetBytes, lengthBytes, punch: words.takeIf("punch") };
};

const pwrite: Syntax = (words, process) => {
  const descriptor = words.descriptor();
  const offsetBytes = words.size("the offset");
  const lengthBytes = words.size("the length");
  const chunkBytes = words.hasMore ? words.size("the chunk", { least: 1, most: CHUNK_BYTES_MAX }) : PWRITE_CHUNK_BYTES;
  return { kind: "pwrite", process, descriptor, offsetBytes, lengthBytes, chunkBytes };
};

function takeId(words: LineWords): number {
  return words.count("the id", { least: 0, most: RINGS_MAX - 1 });
}

function takeNode(words: LineWords): number {
  return words.count("the node", { least: 0, most: NODES_MAX - 1 });
}

/** All commands of a process but `fork` and `exit`, which change who there is. */
export const PROCESS_SYNTAX: ReadonlyMap<string, Syntax> = new Map<string, Syntax>([
  ["mmap", mmap],
  ["munmap", onRange("munmap")],
  [
    "mprotect",
    (words, process) => ({ kind: "mprotect", process, ...words.range(), protection: takeProtection(words) }),
  ],
  ["mremap", mremap],
  ["touch", touch],
  [
    "fill",
    (words, process) => ({
      kind: "fill",
      process,
      ...words.range(),
      byte: words.size("the byte", { least: 0, most: 255 }),
    }),
  ],
  ["peek", (words, process) => ({ kind: "peek", process, address: words.address("the address") })],
  [
    "madvise",
    (words, process) => {
      const range = words.range();
      return {
        kind: "madvise",
        process,
        ...range,
        advice: words.choice("advice", ADVICES, (word) => didYouMean(word, ADVICES)),
      };
    },
  ],
  ["mlock", onRange("mlock")],
  ["mlock_onfault", onRange("mlock_onfault")],
  ["munlock", onRange("munlock")],
  ["memfd", memfd],
  ["open", open],
  ["close", onDescriptor("close")],
  ["pwrite", pwrite],
  [
    "pread",
    (words, process) => {
      const descriptor = words.descriptor();
      const offsetBytes = words.size("the offset");
      return { kind: "pread", process, descriptor, offsetBytes, lengthBytes: words.size("the length") };
    },
  ],
  [
    "ftruncate",
    (words, process) => {
      const descriptor = words.descriptor();
      return { kind: "ftruncate", process, descriptor, sizeBytes: words.size("the size") };
    },
  ],
  ["fallocate", fallocate],
  ["fsync", onDescriptor("fsync")],
  ["fadvise", onDescriptor("fadvise")],
  ["uring", (words, process) => ({ kind: "uring", process, id: takeId(words), ...words.range() })],
  ["unuring", (words, process) => ({ kind: "unuring", process, id: takeId(words) })],
  ["guppin", (words, process) => ({ kind: "guppin", process, ...words.range(), write: words.takeIf("w") })],
  ["gupunpin", (_, process) => ({ kind: "gupunpin", process })],
  ["vmsplice", (words, process) => ({ kind: "vmsplice", process, id: takeId(words), ...words.range() })],
  ["unvmsplice", (words, process) => ({ kind: "unvmsplice", process, id: takeId(words) })],
  ["uffdwp", onRange("uffdwp")],
  ["unuffdwp", onRange("unuffdwp")],
  ["migrate", (words, process) => ({ kind: "migrate", process, ...words.range(), node: takeNode(words) })],
  ["node", (words, process) => ({ kind: "node", process, node: takeNode(words) })],
  [
    "prctl",
    (words, process) => {
      const option = words.size("the option");
      return { kind: "prctl", process, option, argument: words.size("the argument") };
    },
  ],
]);
