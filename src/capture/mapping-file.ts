/**
 * A mappings part as a file: the footer that turns a thread's row groups into Parquet, and the way back.
 *
 * The row groups are written by mapping-part.ts without a library; only the footer is the library's. Back, a group is
 * accepted if each of its columns is one page whose header is, byte for byte, the one that mapping-part.ts writes: then
 * its values are the block's words and may be copied.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import type { ColumnChunk } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { BadCapture } from "./bad-capture.ts";
import { MAPPING_COLUMNS, PARQUET_MAGIC, type StoredGroup, dataPageHeader } from "./mapping-part.ts";
import { CREATED_BY, parquetSchemaOf, readExactly, readPlainFooter } from "./plain-parquet.ts";
import { BLOCK_RUNS } from "./run-blocks.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

/** Appends the footer to a part's file, which then is a Parquet file. Returns its rows. */
export function writeMappingFooter(path: string, groups: readonly StoredGroup[]): number {
  const fd = openSync(path, "r+");
  try {
    const end = fstatSync(fd).size;
    const writer = new ByteWriter();
    const parquet = new ParquetWriter({
      writer,
      schema: parquetSchemaOf(MAPPINGS_TABLE),
      codec: "UNCOMPRESSED",
      statistics: false,
      createdBy: CREATED_BY,
    });
    // The header that the library has just written stands in the file already, and the row groups behind it.
    writer.index = 0;
    writer.offset = end;
    let rows = 0;
    for (const group of groups) {
      const columns = chunksOf(group);
      const bytes = columns.reduce((sum, { meta_data: meta }) => sum + (meta?.total_compressed_size ?? 0n), 0n);
      parquet.row_groups.push({
        columns,
        num_rows: BigInt(group.rows),
        total_byte_size: bytes,
        total_compressed_size: bytes,
      });
      rows += group.rows;
    }
    parquet.num_rows = BigInt(rows);
    void parquet.finish();
    const footer = writer.getBytes();
    for (let done = 0; done < footer.length;) {
      done += writeSync(fd, footer, done, footer.length - done, end + done);
    }
    return rows;
  } finally {
    closeSync(fd);
  }
}

function chunksOf({ rows, chunks, offsets }: StoredGroup): ColumnChunk[] {
  return MAPPING_COLUMNS.map(({ name, bytes }, index) => {
    const size = BigInt(offsets[index] - chunks[index] + rows * bytes);
    return {
      file_offset: BigInt(chunks[index]),
      meta_data: {
        type: bytes === 4 ? "INT32" : "INT64",
        encodings: ["PLAIN"],
        path_in_schema: [name],
        codec: "UNCOMPRESSED",
        num_values: BigInt(rows),
        total_uncompressed_size: size,
        total_compressed_size: size,
        data_page_offset: BigInt(chunks[index]),
      },
    };
  });
}

/** The row groups of a part's file. Throws BadCapture if it is not one of ours. */
export function readMappingGroups(path: string): StoredGroup[] {
  const fd = openSync(path, "r");
  try {
    if (!readExactly(fd, path, 0, PARQUET_MAGIC.length).equals(PARQUET_MAGIC)) {
      throw new BadCapture("damaged", path, "does not begin as a Parquet file does");
    }
    return readPlainFooter(fd, path, MAPPINGS_TABLE).groups.map(({ rows, chunks }) => {
      if (rows > BLOCK_RUNS) throw new BadCapture("foreign", path, `has a row group of more than ${BLOCK_RUNS} rows`);
      const offsets = chunks.map(({ start, bytes }, index) => {
        const column = MAPPING_COLUMNS[index];
        const header = dataPageHeader(rows * column.bytes, rows);
        if (
          bytes !== header.length + rows * column.bytes ||
          !readExactly(fd, path, start, header.length).equals(header)
        ) {
          throw new BadCapture("foreign", path, `holds the column "${column.name}" in pages of another kind`);
        }
        return start + header.length;
      });
      return { path, rows, chunks: chunks.map(({ start }) => start), offsets };
    });
  } finally {
    closeSync(fd);
  }
}
