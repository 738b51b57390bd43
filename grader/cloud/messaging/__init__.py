"""Where notes go: queues, topics and buckets."""
