"""Tables and their streams: items, requests, records, shards, consumed capacity."""
