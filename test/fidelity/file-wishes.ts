/**
 * Wishes about files: memfd, tmpfs (huge=always), ext4, hugetlb, and mappings of them.
 */
import { mapAt, pagesOfNewMapping } from "./mapping-wishes.ts";
import { type PageRange, choose, cutRange, pickProcess, pickRange } from "./ranges.ts";
import {
  HUGETLB_PAGES,
  type MadeFile,
  PAGE_BYTES,
  type SymbolicMachine,
  type SymbolicProcess,
  addressText,
  sizeText,
} from "./symbolic-machine.ts";
import { touchRead, write } from "./touch-wishes.ts";
import { type ProfileName, SHARES, type Wish } from "./wishes.ts";

const CHUNKS = ["", "4k", "16k", "64k", "100k", "256k", "1M"];

function addFile(process: SymbolicProcess, made: MadeFile): MadeFile {
  process.files.set(made.descriptor, made);
  return made;
}

/** A memfd, and a mapping of it. */
export function memfd(machine: SymbolicMachine, wish: Wish, profile: ProfileName): void {
  const process = pickProcess(machine, wish);
  const descriptor = machine.newDescriptor();
  if (process === undefined || descriptor === undefined) return;
  const pages = pagesOfNewMapping(profile, wish);
  machine.say(process.name, "memfd", descriptor, sizeText(pages));
  mapMade(machine, process, addFile(process, { descriptor, kind: "memfd", size: { bytes: pages * PAGE_BYTES } }), wish);
}

/** A file, mostly written to, and a mapping of it. Its name is new. */
export function openFile(kind: "tmpfs" | "ext4") {
  return (machine: SymbolicMachine, wish: Wish): void => {
    const process = pickProcess(machine, wish);
    const descriptor = machine.newDescriptor();
    if (process === undefined || descriptor === undefined) return;
    const pages = choose(kind === "tmpfs" ? [16, 25, 64, 512, 600] : [1, 8, 16, 25, 32, 64, 100, 200], wish, 1);
    const others = machine.namedFiles.filter(({ file }) => file.kind === kind);
    if (others.length > 0 && choose([0, 0, 1], wish, 11) === 1) {
      const { path, file } = others[wish.area % others.length];
      openAgain(machine, process, { path, file, descriptor }, wish);
      return;
    }
    const path = `/${kind === "tmpfs" ? "tmpfs" : "mnt"}/${machine.fileTag}_${descriptor}`;
    machine.say(process.name, "open", descriptor, path, sizeText(pages));
    const file = addFile(process, { descriptor, kind, size: { bytes: pages * PAGE_BYTES } });
    machine.namedFiles.push({ path, file });
    if (choose([1, 1, 1, 0], wish, 2) === 1) {
      const chunk = choose(CHUNKS, wish, 3);
      machine.say(process.name, "pwrite", descriptor, 0, sizeText(pages), ...(chunk === "" ? [] : [chunk]));
    }
    if (kind === "ext4" && choose([1, 1, 0], wish, 4) === 1) machine.say(process.name, "fsync", descriptor);
    mapMade(machine, process, file, wish);
  };
}

/** The same file under another number: both see its size change. */
function openAgain(
  machine: SymbolicMachine,
  process: SymbolicProcess,
  { path, file, descriptor }: { readonly path: string; readonly file: MadeFile; readonly descriptor: number },
  wish: Wish,
): void {
  machine.say(process.name, "open", descriptor, path);
  mapMade(machine, process, addFile(process, { ...file, descriptor }), wish);
}

/** Huge pages of the pool, anonymous or of a memfd; never more than the pool has for everybody's copies. */
export function hugetlb(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process === undefined) return;
  const huge = choose([1, 2], wish, 1);
  // As for a fork of everything: a copy for each.
  if (!machine.hasHugetlbFor(process, 2 * huge)) return;
  const slot = machine.newSlot();
  if (slot === undefined) return;
  const pages = huge * HUGETLB_PAGES;
  const firstPage = slot / PAGE_BYTES;
  const kind = choose(["private", "private", "shared", "memfd"], wish, 2);
  const isPrivate = kind === "private";
  let file: MadeFile | undefined;
  let flags = `anon,${isPrivate ? "priv" : "shared"},hugetlb`;
  if (kind === "memfd") {
    const descriptor = machine.newDescriptor();
    if (descriptor === undefined) return;
    machine.say(process.name, "memfd", descriptor, sizeText(pages), "hugetlb");
    file = addFile(process, { descriptor, kind: "hugetlb", size: { bytes: pages * PAGE_BYTES } });
    flags = "shared";
  }
  const made = { memory: "hugetlb" as const, pages, protection: "rw", flags, isPrivate };
  const mapping = mapAt(machine, process, firstPage, file === undefined ? made : { ...made, file });
  if (mapping === undefined || choose([1, 1, 0], wish, 3) === 0) return;
  const area = { mapping, firstPage, pageCount: pages };
  write(machine, { process, area, ...cutRange(area, wish) });
}

/** A mapping of a file that is open, of all of it or of a part that may reach beyond its end. */
export function mapFile(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process === undefined) return;
  const files = [...process.files.values()].filter(({ kind, size }) => kind !== "hugetlb" && size.bytes > 0);
  if (files.length > 0) mapMade(machine, process, files[wish.area % files.length], wish);
}

function mapMade(machine: SymbolicMachine, process: SymbolicProcess, file: MadeFile, wish: Wish): void {
  const slot = machine.newSlot();
  if (slot === undefined) return;
  const filePages = Math.ceil(file.size.bytes / PAGE_BYTES);
  const isWhole = choose([true, true, false], wish, 5);
  const filePage = isWhole ? 0 : Math.floor((filePages * wish.from) / SHARES);
  const pages = isWhole ? filePages : Math.max(1, Math.ceil((filePages * (wish.length + 1)) / SHARES));
  // Where the file's large folios could be mapped as a whole, and where they could not.
  const shift = choose([filePage % 512, filePage % 512, filePage % 512, 1, 16], wish, 6);
  const isPrivate = choose([false, false, true], wish, 7);
  const protection = choose(["rw", "rw", "rw", "r", "r", "rx"], wish, 8);
  const populated = choose(["", "", "", "", "", ",pop"], wish, 9);
  if (populated !== "" && !machine.mayTouch(pages)) return;
  const firstPage = slot / PAGE_BYTES + shift;
  const flags = `${isPrivate ? "priv" : "shared"}${populated}`;
  const mapping = mapAt(machine, process, firstPage, {
    memory: "file",
    pages,
    protection,
    flags,
    isPrivate,
    file,
    filePage,
  });
  if (mapping === undefined) return;
  const area = { mapping, firstPage, pageCount: pages };
  if (choose([true, false], wish, 10)) write(machine, { process, area, ...cutRange(area, wish) });
  else touchRead(machine, { ...wish, area: process.areas().findIndex((each) => each.mapping === mapping) });
}

interface PickedFile {
  readonly process: SymbolicProcess;
  readonly file: MadeFile;
  /** In bytes: pages, or now and then an odd number. */
  readonly offset: number;
  readonly length: number;
}

/** An open file and a part of it. */
function pickFile(machine: SymbolicMachine, wish: Wish, kinds: readonly MadeFile["kind"][]): PickedFile | undefined {
  const process = pickProcess(machine, wish);
  const files = [...(process?.files.values() ?? [])].filter(({ kind }) => kinds.includes(kind));
  if (process === undefined || files.length === 0) return undefined;
  const file = files[wish.area % files.length];
  const unit = file.kind === "hugetlb" ? HUGETLB_PAGES * PAGE_BYTES : PAGE_BYTES;
  const units = Math.max(1, Math.ceil(file.size.bytes / unit));
  const odd = file.kind !== "hugetlb" && choose([0, 0, 0, 0, 1], wish, 1) === 1 ? 1000 : 0;
  const offset = Math.floor((units * wish.from) / SHARES) * unit + odd;
  const length = Math.max(1, Math.ceil((units * (wish.length + 1)) / SHARES)) * unit - odd;
  return { process, file, offset, length };
}

const WRITABLE_KINDS = ["memfd", "tmpfs", "ext4"] as const;
const TRUNCATED_KINDS = [...WRITABLE_KINDS, "hugetlb"] as const;

function bytesText(bytes: number): string {
  return bytes % PAGE_BYTES === 0 ? sizeText(bytes / PAGE_BYTES) : bytes.toString();
}

export function pwrite(machine: SymbolicMachine, wish: Wish): void {
  const picked = pickFile(machine, wish, WRITABLE_KINDS);
  if (picked === undefined || !machine.mayTouch(Math.ceil(picked.length / PAGE_BYTES))) return;
  const { process, file, offset, length } = picked;
  const chunk = choose(CHUNKS, wish);
  const words = [process.name, "pwrite", file.descriptor, bytesText(offset), bytesText(length)];
  machine.say(...words, ...(chunk === "" ? [] : [chunk]));
  file.size.bytes = Math.max(file.size.bytes, offset + length);
}

export function pread(machine: SymbolicMachine, wish: Wish): void {
  const picked = pickFile(machine, wish, WRITABLE_KINDS);
  if (picked === undefined) return;
  const { process, file, offset, length } = picked;
  machine.say(process.name, "pread", file.descriptor, bytesText(offset), bytesText(length));
}

export function ftruncate(machine: SymbolicMachine, wish: Wish): void {
  const picked = pickFile(machine, wish, TRUNCATED_KINDS);
  if (picked === undefined) return;
  const { process, file, offset, length } = picked;
  const isGrown = file.kind !== "hugetlb" && choose([0, 0, 0, 1], wish, 2) === 1;
  const sizeBytes = isGrown ? file.size.bytes + length : offset;
  machine.say(process.name, "ftruncate", file.descriptor, bytesText(sizeBytes));
  file.size.bytes = sizeBytes;
}

export function punch(machine: SymbolicMachine, wish: Wish): void {
  const picked = pickFile(machine, wish, TRUNCATED_KINDS);
  if (picked === undefined) return;
  const { process, file, offset, length } = picked;
  machine.say(process.name, "fallocate", file.descriptor, bytesText(offset), bytesText(length), "punch");
}

export function allocate(machine: SymbolicMachine, wish: Wish): void {
  const picked = pickFile(machine, wish, ["memfd", "tmpfs"]);
  if (picked === undefined) return;
  const { process, file, offset, length } = picked;
  machine.say(process.name, "fallocate", file.descriptor, bytesText(offset), bytesText(length));
  file.size.bytes = Math.max(file.size.bytes, offset + length);
}

export function onFile(command: "fsync" | "fadvise") {
  return (machine: SymbolicMachine, wish: Wish): void => {
    const picked = pickFile(machine, wish, ["ext4"]);
    if (picked !== undefined) machine.say(picked.process.name, command, picked.file.descriptor);
  };
}

/** A hole through a mapping. */
export function remove(machine: SymbolicMachine, wish: Wish): void {
  const isShared = ({ mapping }: PageRange["area"]): boolean => !mapping.isPrivate && mapping.memory !== "hugetlb";
  const range = pickRange(machine, wish, isShared);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  machine.say(process.name, "madvise", addressText(process, firstPage), sizeText(pageCount), "remove");
}
