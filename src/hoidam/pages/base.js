// Somebody who types without diacritics finds words with them; somebody who types them means them.
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/g, "d");
const folded = (text) => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();

// What `show` in this package does: what no reader could see, or what would reorder the page, as code points.
const shownText = (text) => text.replace(/\r\n?/g, "\n").replace(
  /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]/gu,
  (found) => `⟨U+${found.codePointAt().toString(16).toUpperCase().padStart(4, "0")}⟩`);
