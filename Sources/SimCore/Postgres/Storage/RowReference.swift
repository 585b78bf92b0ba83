/// A row of a table, by number.
struct RowReference: Hashable {
    var table: Int32
    var row: UInt32
}
