/**
 * Pseudonyms for strings: HMAC-SHA-256 under a key that is random for each capture unless given, so equal strings get
 * equal pseudonyms and nobody without the key can try out guesses.
 *
 * What the kernel itself names is kept, because it says what memory is and not whose: [heap], [stack], [vdso], a
 * "(deleted)" at the end, memfd:, /dev/zero, /dev/shm/, /SYSV. Numbers of users and processes are kept too.
 */
import { createHmac, randomBytes, scryptSync } from "node:crypto";
import type { MapsVma } from "../kernel/index.ts";

/** 40 bits: two of ten thousand names meet by chance once in twenty thousand captures. */
const PSEUDONYM_DIGITS = 10;
/** The kernel's longest task name. */
const COMM_LENGTH = 15;
const KERNEL_NAME =
  /^(?:\[(?:heap|stack|vdso|vvar|vvar_vclock|vsyscall|uprobes|sigpage|vectors|stack:[0-9]+)\]|anon_inode:\[[a-z_-]+\]|\/dev\/zero|\/SYSV00000000|\/anon_hugepage)$/;
const NAMED_ANON = /^\[(anon|anon_shmem):(.*)\]$/s;
const DELETED = " (deleted)";
/** Beginnings that say which kind of memory it is. */
const KEPT_PREFIXES = ["/memfd:", "/SYSV", "/dev/shm/", "/dev/", "socket:", "pipe:", "anon_inode:"];

/** The key of one redaction. A given one is stretched, because people choose guessable words. */
export function redactionKey(given: string | undefined): Buffer {
  return given === undefined ? randomBytes(32) : scryptSync(given.normalize("NFC"), "foliometer redaction", 32);
}

/** Gives strings and numbers their pseudonyms. */
export class Pseudonyms {
  private readonly key: Buffer;
  private readonly known = new Map<string, string>();

  constructor(key: Buffer) {
    this.key = key;
  }

  /** Hex digits that stand for a text of one class. */
  digits(className: string, text: string): string {
    const label = `${className}\0${text}`;
    const known = this.known.get(label);
    if (known !== undefined) return known;
    const digits = createHmac("sha256", this.key).update(label).digest("hex");
    this.known.set(label, digits);
    return digits;
  }

  /** "program-3f2a9c01d4". */
  name(className: string, text: string): string {
    return `${className}-${this.digits(className, text).slice(0, PSEUDONYM_DIGITS)}`;
  }

  /** The program by its task name, as `name` of the process; then all of the command line as one word. */
  command(command: string): string {
    const inBrackets = /^\[(.*)\]$/s.exec(command)?.[1];
    if (inBrackets !== undefined) return `[${this.name("program", inBrackets)}]`;
    const [first] = command.split(" ");
    const program = first.slice(first.lastIndexOf("/") + 1).slice(0, COMM_LENGTH);
    return `${this.name("program", program)} ${this.name("arguments", command)}`;
  }

  /** A control group's path, level by level, so that what lies inside what stays visible. */
  cgroup(path: string): string {
    return path
      .split("/")
      .map((level) => (level === "" ? "" : this.name("group", level)))
      .join("/");
  }

  /** A user's name; a number stands for itself where there is no name. */
  user(name: string, uid: number): string {
    return name === String(uid) ? name : this.name("user", name);
  }

  /** The name of a VMA. */
  vmaName(name: string): string {
    if (name === "" || KERNEL_NAME.test(name)) return name;
    const anon = NAMED_ANON.exec(name);
    if (anon !== null) return `[${anon[1]}:${this.name("name", anon[2])}]`;
    if (name.endsWith(DELETED)) return `${this.vmaName(name.slice(0, -DELETED.length))}${DELETED}`;
    const prefix = KEPT_PREFIXES.find((kept) => name.startsWith(kept));
    if (prefix !== undefined) return `${prefix}${this.name("path", name)}`;
    return `${name.startsWith("/") ? "/" : ""}${this.name("path", name)}`;
  }

  /** Device, inode and name of a VMA; file offsets, addresses and permissions stay. */
  vma(vma: MapsVma): MapsVma {
    const { inodeText, ...rest } = vma;
    const name = this.vmaName(vma.name);
    if (vma.inode === 0) return { ...rest, device: this.device(vma.device), name };
    const digits = this.digits("inode", `${vma.device} ${inodeText ?? vma.inode}`);
    // 48 bits and never 0, which means that there is no file.
    return { ...rest, device: this.device(vma.device), inode: Number.parseInt(digits.slice(0, 12), 16) + 1, name };
  }

  /** Major 0 is kept: it means that no block device is behind it. */
  private device(device: string): string {
    if (/^0+:0+$/.test(device)) return device;
    const digits = this.digits("device", device);
    return `${/^0+:/.test(device) ? "00" : digits.slice(0, 3)}:${digits.slice(3, 8)}`;
  }

  /** A sentence with the absolute paths in it replaced, but for those of /proc and /sys. */
  sentence(text: string): string {
    return text.replace(/(?<![\w/])\/(?!proc\/|sys\/)[^\s,;:)"']+/g, (path) => `/${this.name("path", path)}`);
  }
}
