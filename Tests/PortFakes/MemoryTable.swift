public import Ports

/// A row before and after a change.
public struct RowPair: Sendable {
    public let old: Row?
    public let new: Row?

    /// The change as logical decoding tells of it.
    func change(of table: Table) -> RowChange {
        switch (old, new) {
        case (nil, let new?): .insert(new: new)
        case (_, let new?): .update(oldKey: nil, new: new)
        case (let old?, nil):
            .delete(
                oldKey: Row(
                    old.values.enumerated().map { table.primaryKey.columns.contains($0.offset) ? $0.element : .null }))
        case (nil, nil): preconditionFailure("a change without rows")
        }
    }
}

/// The rows of one table, with its keys and checks.
struct MemoryTable: Sendable {
    let table: Table
    var rows: [Row] = []

    init(_ table: Table) { self.table = table }

    /// Runs a statement on these rows; what it changed is appended to `changes`.
    mutating func run(_ statement: Statement, _ changes: inout [RowPair]) throws -> StatementResult {
        switch statement {
        case .select(let select):
            try Self.check(operandsOf: select.condition)
            return self.select(select)
        case .insert(let insert): return try self.insert(insert, &changes)
        case .update(let update):
            try Self.check(operandsOf: update.condition)
            return try self.update(update, &changes)
        case .delete(let delete):
            try Self.check(operandsOf: delete.condition)
            let deleted = rows.filter { matches($0, delete.condition) }
            rows = rows.filter { !matches($0, delete.condition) }
            changes += deleted.map { RowPair(old: $0, new: nil) }
            return StatementResult(affectedRowCount: deleted.count, rows: delete.isReturning ? deleted : [])
        }
    }

    private func select(_ select: Select) -> StatementResult {
        var found = rows.filter { matches($0, select.condition) }
        if !select.sortKeys.isEmpty {
            found.sort { left, right in
                for key in select.sortKeys {
                    let (l, r) = (left[key.column], right[key.column])
                    if l == r { continue }
                    return key.isDescending ? isLess(r, l) : isLess(l, r)
                }
                return false
            }
        }
        if let limit = select.limit { found = Array(found.prefix(limit)) }
        return StatementResult(affectedRowCount: found.count, rows: found)
    }

    private mutating func insert(_ insert: Insert, _ changes: inout [RowPair]) throws -> StatementResult {
        var returned: [Row] = []
        var touched: Set<Int> = []
        for values in insert.rows {
            precondition(values.count == table.columns.count, "a row of \(table.name) has \(values.count) values")
            let row = Row(values)
            try check(row)
            switch insert.onConflict {
            case .error:
                if let key = conflict(row, except: nil) {
                    throw DatabaseError.statement(.uniqueViolation, message: "duplicate key", constraint: key.1.name)
                }
                rows.append(row)
            case .doNothing:
                if conflict(row, except: nil) != nil { continue }
                rows.append(row)
            case .doUpdate(let key, let assignments, let condition):
                if let position = position(of: row, key: key) {
                    guard touched.insert(position).inserted else {
                        throw DatabaseError.statement(.cardinalityViolation, message: "row touched twice")
                    }
                    guard matches(rows[position], condition) else { continue }
                    let updated = try assign(assignments, to: rows[position], excluded: row)
                    try check(updated)
                    if let other = conflict(updated, except: position) {
                        throw DatabaseError.statement(
                            .uniqueViolation, message: "duplicate key", constraint: other.1.name)
                    }
                    changes.append(RowPair(old: rows[position], new: updated))
                    rows[position] = updated
                    returned.append(updated)
                    continue
                }
                rows.append(row)
            }
            changes.append(RowPair(old: nil, new: row))
            returned.append(row)
        }
        return StatementResult(affectedRowCount: returned.count, rows: insert.isReturning ? returned : [])
    }

    private mutating func update(_ update: Update, _ changes: inout [RowPair]) throws -> StatementResult {
        var returned: [Row] = []
        for position in rows.indices where matches(rows[position], update.condition) {
            let updated = try assign(update.assignments, to: rows[position], excluded: nil)
            try check(updated)
            changes.append(RowPair(old: rows[position], new: updated))
            rows[position] = updated
            returned.append(updated)
        }
        return StatementResult(affectedRowCount: returned.count, rows: update.isReturning ? returned : [])
    }

    private func assign(_ assignments: [Assignment], to row: Row, excluded: Row?) throws -> Row {
        var row = row
        for assignment in assignments {
            switch assignment {
            case .set(let column, let value): row.values[column.ordinal] = value
            case .setExcluded(let column): row.values[column.ordinal] = excluded![column]
            case .increment(let column, let amount):
                let (sum, overflow) = row.int64(column).addingReportingOverflow(amount)
                if overflow { throw DatabaseError.statement(.numericValueOutOfRange, message: column.name) }
                row.values[column.ordinal] = .int64(sum)
            }
        }
        return row
    }

    /// PostgreSQL takes no text with a zero byte, be it only to compare with.
    private static func check(operandsOf condition: [Comparison]) throws {
        for comparison in condition { for operand in comparison.operands { try check(operand) } }
    }

    private static func check(_ value: Value) throws {
        switch value {
        case .text(let text) where text.utf8.contains(0):
            throw DatabaseError.statement(SQLState(rawValue: "22021"), message: "invalid byte sequence: 0x00")
        case .json(let document) where hasZero(document):
            throw DatabaseError.statement(SQLState(rawValue: "22P05"), message: "unsupported Unicode escape: \\u0000")
        default: break
        }
    }

    private static func hasZero(_ document: JSONValue) -> Bool {
        switch document {
        case .string(let text): text.utf8.contains(0)
        case .array(let values): values.contains(where: hasZero)
        case .object(let members): members.contains { $0.name.utf8.contains(0) || hasZero($0.value) }
        default: false
        }
    }

    /// An index takes no row of more than a third of a page, 2,704 bytes.
    private func checkIndexRows(_ row: Row) throws {
        let indexes = ([table.primaryKey] + table.uniqueKeys).map(\.columns) + table.indexes.map(\.columns)
        for columns in indexes {
            let byteCount = columns.reduce(0) { sum, column in
                if case .text(let text) = row.values[column] { sum + text.utf8.count } else { sum + 8 }
            }
            if byteCount > 2_704 {
                throw DatabaseError.statement(SQLState(rawValue: "54000"), message: "index row size \(byteCount)")
            }
        }
    }

    private func check(_ row: Row) throws {
        try checkIndexRows(row)
        for column in table.columns {
            let value = row[column]
            try Self.check(value)
            if value.isNull {
                if !column.isNullable { throw DatabaseError.statement(.notNullViolation, message: column.name) }
            } else if value.type != column.type {
                throw DatabaseError.statement(.datatypeMismatch, message: "\(table.name).\(column.name): \(value)")
            }
        }
        for check in table.checks where !matches(row, check.condition) {
            throw DatabaseError.statement(.checkViolation, message: "\(row)", constraint: check.name)
        }
    }

    private func conflict(_ row: Row, except: Int?) -> (Int, UniqueKey)? {
        for key in [table.primaryKey] + table.uniqueKeys {
            if let position = position(of: row, key: key), position != except { return (position, key) }
        }
        return nil
    }

    private func position(of row: Row, key: UniqueKey) -> Int? {
        rows.firstIndex { existing in
            key.columns.allSatisfy { !row.values[$0].isNull && existing.values[$0] == row.values[$0] }
        }
    }

    private func matches(_ row: Row, _ condition: [Comparison]) -> Bool {
        condition.allSatisfy { comparison in
            let value = row[comparison.column]
            switch comparison.comparisonOperator {
            case .isNull: return value.isNull
            case .isNotNull: return !value.isNull
            case .isIn: return !value.isNull && comparison.operands.contains(value)
            default: break
            }
            guard !value.isNull, let operand = comparison.operands.first, !operand.isNull else { return false }
            switch comparison.comparisonOperator {
            case .equal: return value == operand
            case .notEqual: return value != operand
            case .less: return isLess(value, operand)
            case .lessOrEqual: return !isLess(operand, value)
            case .greater: return isLess(operand, value)
            default: return !isLess(value, operand)
            }
        }
    }

    private func isLess(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.null, _): false
        case (_, .null): true
        case (.int64(let l), .int64(let r)): l < r
        case (.text(let l), .text(let r)): Array(l.utf8).lexicographicallyPrecedes(Array(r.utf8))
        case (.uuid(let l), .uuid(let r)): l < r
        case (.timestamp(let l), .timestamp(let r)): l < r
        case (.bool(let l), .bool(let r)): !l && r
        default: preconditionFailure("\(left) and \(right) cannot be compared")
        }
    }
}
