/** Classes of bytes that the scanner steers by, as one table lookup per byte. */
export const space = 0;
/** Letters, `_`, `$` and every byte of a non-ASCII character. */
export const letter = 1;
export const digit = 2;
/** Part of a word between two word bytes (`a.b`, `x-1`, `n/a`), else a mark of its own. */
export const joiner = 3;
/** Any other mark: ends a word. */
export const mark = 4;

export const classOf = new Uint8Array(256);
/** 1 for 0-9 a-f A-F. */
export const isHex = new Uint8Array(256);
/** 1 for marks that may stand between two variables that belong together: `10.0.0.1:80`, `1, 2, 3`, `a | b`. */
export const isLink = new Uint8Array(256);
/** 1 for bytes that end a path, a URL or the value of a key. */
export const endsValue = new Uint8Array(256);

for (let b = 0; b < 256; b++) {
  const c = String.fromCharCode(b);
  if (b <= 0x20 || b === 0x7f) classOf[b] = space;
  else if (b >= 0x80 || /[A-Za-z_$]/.test(c)) classOf[b] = letter;
  else if (b >= 0x30 && b <= 0x39) classOf[b] = digit;
  else if ('.-/\\@+#~*%'.includes(c)) classOf[b] = joiner;
  else classOf[b] = mark;
  if (b < 0x80 && /[0-9A-Fa-f]/.test(c)) isHex[b] = 1;
  if (' .,:;/_@#+=|-'.includes(c)) isLink[b] = 1;
  if (b <= 0x20 || b === 0x7f || '"\'`<>|,;()[]{}'.includes(c)) endsValue[b] = 1;
}
