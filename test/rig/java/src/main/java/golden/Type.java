package golden;

import java.util.List;

/** A column type of a source, with values at its boundaries. */
record Type(String name, int number, List<Value> values) {
  static Type of(String name, int number, Value... values) {
    return new Type(name, number, List.of(values));
  }
}
