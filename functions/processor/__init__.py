"""The processor: takes upload events from the queue, reads each object once, and records its entry."""
