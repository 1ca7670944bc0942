/**
 * The door of the server: the exporter's socket, and what it reads from.
 */
export { type ListenAddress, parseListenAddress } from "./listen-address.ts";
export { CannotListen, type MetricsServer, startMetricsServer } from "./metrics-server.ts";
export { startScrapeThread } from "./scrape-thread.ts";
export { SharedScrape } from "./shared-scrape.ts";
