"""What appears on the screen: results, progress, and errors as one sentence."""
