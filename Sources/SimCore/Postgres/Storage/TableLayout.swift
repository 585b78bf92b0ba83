import Ports

/// A table as the server keeps it: the declaration, prepared for execution. Immutable and shared.
final class TableLayout: Sendable {
    let table: Table
    let columnTypes: [ColumnType]
    /// The primary key, then the unique keys in the order of their declaration, which is the order in which
    /// PostgreSQL checks them.
    let keys: [UniqueKey]
    /// Columns of each key, as bits.
    let keyMasks: [UInt64]
    /// Columns of each plain index, as bits.
    let indexMasks: [UInt64]
    /// Check constraints in the order of their names, which is the order in which PostgreSQL checks them.
    let checks: [CheckConstraint]
    let hasNotNullColumn: Bool

    /// - Precondition: at most 64 columns, and at most 32 keys and indexes together.
    init(_ table: Table) {
        precondition(table.columns.count <= 64, "table \(table.name) has \(table.columns.count) columns, more than 64")
        self.table = table
        columnTypes = table.columns.map(\.type)
        keys = [table.primaryKey] + table.uniqueKeys
        precondition(
            keys.count + table.indexes.count <= 32, "table \(table.name) has more than 32 keys and indexes together")
        keyMasks = keys.map { Self.mask($0.columns) }
        indexMasks = table.indexes.map { Self.mask($0.columns) }
        checks = table.checks.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        hasNotNullColumn = table.columns.contains { !$0.isNullable }
    }

    /// Every key and every plain index as bits: keys first.
    var allIndexesMask: UInt32 {
        let count = keys.count + table.indexes.count
        return count == 32 ? .max : (1 << UInt32(count)) - 1
    }

    /// The keys and indexes that hold one of those columns.
    func indexesTouched(byColumns columns: UInt64) -> UInt32 {
        var touched: UInt32 = 0
        for (number, mask) in keyMasks.enumerated() where mask & columns != 0 { touched |= 1 << UInt32(number) }
        for (number, mask) in indexMasks.enumerated() where mask & columns != 0 {
            touched |= 1 << UInt32(keys.count + number)
        }
        return touched
    }

    /// The columns of a key (`number` below the number of keys) or of a plain index.
    func columns(ofIndex number: Int) -> [Int] {
        number < keys.count ? keys[number].columns : table.indexes[number - keys.count].columns
    }

    private static func mask(_ columns: [Int]) -> UInt64 { columns.reduce(0) { $0 | 1 << UInt64($1) } }
}
