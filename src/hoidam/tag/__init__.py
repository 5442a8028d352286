"""Articles in, spans out: tagging, reading and writing of feeds, and the page that shows what was found."""
