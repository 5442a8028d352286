"""From a captured page or file to an article's text: normalise, find the body, read inputs, store articles."""
