/**
 * docs/schemes.md repeats what the registry says; this holds the two together. A failure prints the right table.
 */
import { test } from "vitest";
import { type Guarantee, type Question, SCHEMES } from "../../src/schemes/index.ts";
import { checkTable, formatTable } from "./doc-table.ts";

const PAGES = 512;

const GUARANTEES: Record<Guarantee, string> = {
  exact: "exact",
  "exact-or-unknown": "exact or unknown",
  probable: "probable",
  "one-sided": "one-sided",
  estimate: "estimate",
  unknown: "unknown",
};

const PRIVATE_BY = {
  "page-mapcount": "this page has fewer than two mappings",
  "folio-sharing": "the folio is not maybe mapped shared",
};

const STATISTICS = { "pages-mapped": "pages mapped", "whole-folio": "the whole folio once a page is mapped" };

test("the schemes and their state", () => {
  const rows = SCHEMES.map(({ id, title, origin, stateBits: { perFolio, perPage } }) => [
    `\`${id}\``,
    title,
    origin,
    perFolio,
    perPage,
    (perFolio + PAGES * perPage) / 8,
  ]);
  const header = ["id", "what it is", "origin", "bits a folio", "bits a page", "bytes of a 2 MiB folio"];
  checkTable("schemes.md", "schemes", formatTable(header, rows));
});

test("the questions and the guarantees", () => {
  const questions = Object.keys(SCHEMES[0].guarantees) as Question[];
  const rows = SCHEMES.map(({ id, guarantees }) => [
    `\`${id}\``,
    ...questions.map((question) => GUARANTEES[guarantees[question]]),
  ]);
  const header = ["id", ...questions.map((question) => `\`${question}\``)];
  checkTable("schemes.md", "guarantees", formatTable(header, rows));
});

const UNITS = { entries: "entries", vmas: "VMAs", tables: "pairs of a VMA and a page table" };

test("the rules of use", () => {
  const rows = SCHEMES.map(({ id, rules, unit, smallFolios, leafEntries, looksIntoPageTables }) => [
    `\`${id}\``,
    UNITS[unit],
    smallFolios === "mapcount" ? "one mapcount" : "as large ones",
    leafEntries === "any-part" ? "any part" : "the whole folio",
    looksIntoPageTables ? "yes" : "no",
    PRIVATE_BY[rules.privateBy],
    STATISTICS[rules.statistics],
  ]);
  const header = [
    "id",
    "counts",
    "small folios",
    "a PMD or PUD entry maps",
    "looks into page tables",
    "a large folio's page is private if",
    "AnonPages and Mapped count",
  ];
  checkTable("schemes.md", "rules", formatTable(header, rows));
});
