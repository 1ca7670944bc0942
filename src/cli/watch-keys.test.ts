import * as fc from "fast-check";
import { expect, test } from "vitest";
import { dataOf, madeUpMoment, madeUpVma } from "../../test/report/made-up-moment.ts";
import { WATCH_SORTS, type WatchData, type WatchView, initialView } from "../report/index.ts";
import { type KeyOutcome, applyKey, parseKeys } from "./watch-keys.ts";
import { WATCH_SORT_WORDS } from "./watch.ts";

const MOMENT = madeUpMoment(
  Array.from({ length: 30 }, (_, at) => ({ pid: 100 + at, name: `process-${at}`, page: [1000 - at, 10] as const })),
);
const DATA = dataOf(MOMENT, { vmas: [madeUpVma(16, 40, "[heap]"), madeUpVma(64, 400, "/lib/x.so")] });
const START = initialView("pss");

/** The view after keys that lead neither out nor into the background. */
function after(input: string, view: WatchView = START, data: WatchData = DATA): WatchView {
  const outcome = parseKeys(input).reduce<KeyOutcome>(
    (current, key) => (typeof current === "string" ? current : applyKey(current, key, data, 10)),
    view,
  );
  if (typeof outcome === "string") throw new Error(`the keys lead to ${outcome}`);
  return outcome;
}

test("the words of --sort are those that the screen knows", () => {
  expect(WATCH_SORT_WORDS).toEqual(WATCH_SORTS);
});

test("keys come out of a terminal's bytes by name, several in one piece too", () => {
  expect(parseKeys("\u001b[A\u001bOBq")).toEqual(["up", "down", "q"]);
  expect(parseKeys("\u001b")).toEqual(["escape"]);
  expect(parseKeys("\u001b[5~\u001b[6~\u001b[1~\u001b[4~")).toEqual(["pageup", "pagedown", "home", "end"]);
  expect(parseKeys("\r\u007f\u0003\u001a")).toEqual(["enter", "backspace", "interrupt", "suspend"]);
  expect(parseKeys("é記😀")).toEqual(["é", "記", "😀"]);
  // A key with a modifier, a function key: nothing that is known here, and no text either.
  expect(parseKeys("\u001b[1;5C\u001b[15~x")).toEqual(["x"]);
  // F1 of the Linux console, Shift-PageUp of rxvt, a mouse's report: no Esc comes out of them.
  expect(parseKeys("\u001b[[A\u001b[5$\u001b[5^\u001b[<0;3;4Mx")).toEqual(["x"]);
});

test("q and Ctrl-C end it, Ctrl-Z suspends it", () => {
  expect(applyKey(START, "q", DATA, 10)).toBe("quit");
  expect(applyKey(after("\r"), "interrupt", DATA, 10)).toBe("quit");
  expect(applyKey(START, "suspend", DATA, 10)).toBe("suspend");
  expect(applyKey(after("/"), "interrupt", DATA, 10)).toBe("quit");
});

test("Enter leads into a process and into a VMA, Esc, q and Left back", () => {
  const vmas = after("jj\r");
  expect(vmas).toMatchObject({ level: "vmas", pid: 102 });
  const vma = after("\r", vmas);
  expect(vma).toMatchObject({ level: "vma", pid: 102, startPage: 64 });
  for (const back of ["\u001b", "q", "\u001b[D"]) {
    expect(after(back, vma)).toMatchObject({ level: "vmas", pid: 102 });
    expect(after(back, vmas)).toMatchObject({ level: "processes", chosenPid: 102 });
  }
});

test("where the chosen row is gone, keys are of the first", () => {
  const gone: WatchView = { ...START, chosenPid: 999 };
  expect(after("\r", gone)).toMatchObject({ level: "vmas", pid: 100 });
  expect(after("j", gone).chosenPid).toBe(101);
  expect(after("\u001b[B\u001b[B", gone).chosenPid).toBe(102);
});

test("rows are chosen by one, by pages and at the ends, and never outside of the list", () => {
  expect(after("j").chosenPid).toBe(101);
  expect(after("\u001b[B\u001b[B\u001b[A").chosenPid).toBe(101);
  expect(after("\u001b[6~").chosenPid).toBe(110);
  expect(after("\u001b[F").chosenPid).toBe(129);
  expect(after("\u001b[Fjjj").chosenPid).toBe(129);
  expect(after("\u001b[F\u001b[Hkk").chosenPid).toBe(100);
});

test("the chosen process stays chosen when the order changes", () => {
  expect(after("jjI").chosenPid).toBe(102);
  expect(after("jjIj").chosenPid).toBe(101);
});

test("letters and < > choose the order", () => {
  for (const [key, sort] of Object.entries({
    P: "pss",
    U: "uss",
    R: "rss",
    S: "swap",
    C: "change",
    D: "dpss",
    X: "duss",
    N: "pid",
    M: "name",
  })) {
    expect(after(key).sort).toBe(sort);
  }
  expect(after(">").sort).toBe(WATCH_SORTS[WATCH_SORTS.indexOf("pss") + 1]);
  expect(after("<>").sort).toBe("pss");
  expect(after(">".repeat(WATCH_SORTS.length)).sort).toBe("pss");
});

test("a filter is typed, corrected, kept or dropped; commands are letters in it", () => {
  const typed = after("/quit");
  expect(typed).toMatchObject({ typing: true, filter: "quit" });
  expect(after("\u007f\u007f\r", typed)).toMatchObject({ typing: false, filter: "qu" });
  expect(after("\u001b", typed)).toMatchObject({ typing: false, filter: "" });
  expect(after("\\process-7\r\r")).toMatchObject({ level: "vmas", pid: 107 });
  // Nothing matches: there is nothing to go into.
  expect(after("/nobody\r\r").level).toBe("processes");
});

test("Space freezes and goes on; h shows the help and any key leaves it", () => {
  expect(after(" ").frozen).toBe(true);
  expect(after("  ").frozen).toBe(false);
  expect(after("h").help).toBe(true);
  expect(after("?P")).toMatchObject({ help: false, sort: "pss" });
});

test("whatever is typed leads to a view or out, and a view's lists never lead outside of the data", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (input) => {
      let view: KeyOutcome = START;
      for (const key of parseKeys(input)) {
        if (typeof view === "string") break;
        view = applyKey(view, key, DATA, 10);
      }
      if (typeof view === "string") return;
      if (view.pid !== undefined) expect(MOMENT.processes.map(({ pid }) => pid)).toContain(view.pid);
      if (view.startPage !== undefined) expect([16, 64]).toContain(view.startPage);
    }),
  );
});
