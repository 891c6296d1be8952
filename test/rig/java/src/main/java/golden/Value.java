package golden;

/** One value of a column: what is written, and what must be read, stated by hand. */
record Value(String label, Object written, Object expected) {
  static Value of(String label, Object written, Object expected) {
    return new Value(label, written, expected);
  }

  static final Value NULL = new Value("null", null, null);
}
