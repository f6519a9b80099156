"""One module per measure: ``measure(scale)`` in, a `bench.results.Result` out."""
