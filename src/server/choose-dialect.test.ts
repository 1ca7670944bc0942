import { expect, test } from "vitest";
import { chooseDialect } from "./choose-dialect.ts";

test.each([
  // Prometheus 2.42 and 2.55.
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
  "application/openmetrics-text",
  'Application/OpenMetrics-Text; version="1.0.0"; charset=utf-8',
  "text/plain, application/openmetrics-text; version=1.0.0",
])("OpenMetrics where it is welcome: %s", (accept) => {
  expect(chooseDialect(accept)).toBe("openmetrics");
});

test.each([
  undefined,
  "",
  "*/*",
  "text/html,application/xhtml+xml,*/*;q=0.8",
  "text/plain;version=0.0.4;q=1,*/*;q=0.1",
  "text/plain, application/openmetrics-text; version=1.0.0; q=0.5",
  "application/openmetrics-text;version=1.0.0;q=0",
  "application/openmetrics-text;version=0.0.1",
  "application/openmetrics-text;q=nonsense",
  "application/openmetrics-text;version=1.0.0;q=7, text/plain",
  "application/openmetrics-text;version=1.0.0;q=-1",
])("the older text for all others: %s", (accept) => {
  expect(chooseDialect(accept)).toBe("prometheus");
});
