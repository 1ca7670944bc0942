/**
 * What a page fault is asked for and what it answers.
 *
 * `unshare` is FAULT_FLAG_UNSHARE: the page is to become exclusive, the entry stays read-only (kernel-facts 4.2).
 */

export type FaultAccess = "read" | "write" | "unshare";

/**
 * Who faults: a process in user mode, or the kernel on its behalf (GUP, populate, swapoff). It decides what a missing
 * userfaultfd handler means; rights are checked by whoever calls.
 */
export type FaultMode = "user" | "kernel";

/** "hwpoison": VM_FAULT_HWPOISON, SIGBUS to a process and -EHWPOISON to a GUP that asks for it. */
export type FaultResult = "ok" | "sigsegv" | "sigbus" | "hwpoison";
