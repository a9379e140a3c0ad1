"""Planning under constraints: judged at the end, mended by another plan."""
