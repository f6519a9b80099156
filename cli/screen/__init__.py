"""What appears on the screen: results, progress, and errors in one sentence."""
