"""Strings that would break a page, a script, a style or a table if they were not escaped."""

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></textarea></details>",
    "\" onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp; &#60;",
    "\u202eđảo\u202c \u2066x\u2069",
    "👩‍👩‍👧 😀",
    "a\0b\x1b\x7f\x85\ud800\uffff",
    "*/ } body { display: none } \\22 \\",
    "{{ 7 * 7 }} {% raw %}",
    "-->]]><!--",
    "two\nlines\r\nthree\rfour\ttab",
]
