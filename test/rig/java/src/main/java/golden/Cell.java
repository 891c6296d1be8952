package golden;

/** A column of one record. `before` or `after` is null (no value at all) where the record has no such image. */
record Cell(String name, String typeName, int typeNumber, Value before, Value after) {}
