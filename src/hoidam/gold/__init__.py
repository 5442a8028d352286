"""Gold annotation as files of offsets: inline marks in and out, checks, counts, agreement, splits; no torch."""
