"""Text to what an encoder reads: words with offsets, pieces, windows, tag layers, batches; and encoder folders."""
