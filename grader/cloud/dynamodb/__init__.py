"""Tables and their streams: items, requests, records, shards, consumed capacity.

A request goes in by ``tables.Tables.answer``. A change comes out again as a stream record: the
table hands it to its `Stream`, and the stream calls everybody who listens to it.

    tables, streams_api   the two APIs
    stream                writes, shards that open and close
    shard, reading        records by position, trimming; pages, as the Streams API gives them
    consumption, units    what a request costs
    values, items         attribute values: read, compared, measured
    records               one stream record
    catalog, definitions  the tables' definitions, and their rules
    description, backups  what is told of a table; what is kept of deleted ones

The face is what is pure; tables are reached through ``grader.cloud.account``.
"""

from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import PAGE_BYTES, PAGE_RECORDS, RETENTION_MS, Shard
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.dynamodb.units import read_units, write_units
from grader.cloud.dynamodb.values import plain

__all__ = [
    "PAGE_BYTES",
    "PAGE_RECORDS",
    "RETENTION_MS",
    "Record",
    "Shard",
    "Stream",
    "plain",
    "read_units",
    "write_units",
]
