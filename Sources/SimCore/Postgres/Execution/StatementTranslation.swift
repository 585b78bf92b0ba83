import Ports

/// From a client's declaration of a table to the server's, when their columns differ: matched by name, as SQL does.
struct StatementTranslation {
    /// The server's ordinal of each column of the client's declaration.
    let ordinals: [Int]
    private let layout: TableLayout

    /// - Throws: 42703 for a column that the server does not have, 42804 for one of another type.
    init(from declared: [Column], to layout: TableLayout, _ server: borrowing PostgresServer) throws(DatabaseError) {
        var ordinals: [Int] = []
        for column in declared {
            guard let found = layout.table.columns.first(where: { $0.name == column.name }) else {
                let text = "column \"\(column.name)\" of relation \"\(layout.table.name)\" does not exist"
                throw server.failure(SQLState(rawValue: "42703"), text)
            }
            guard found.type == column.type else {
                let text = "column \"\(column.name)\" is of type \(found.type), the client declares \(column.type)"
                throw server.failure(.datatypeMismatch, text)
            }
            ordinals.append(found.ordinal)
        }
        self.ordinals = ordinals
        self.layout = layout
    }

    func translate(_ statement: Statement, _ server: borrowing PostgresServer) throws(DatabaseError) -> Statement {
        switch statement {
        case .select(let select):
            return .select(
                Select(
                    from: layout.table, where: condition(select.condition),
                    orderedBy: select.sortKeys.map {
                        $0.isDescending ? .descending(column($0.column)) : .ascending(column($0.column))
                    }, limit: select.limit, lock: select.lock))
        case .update(let update):
            return .update(
                Update(
                    layout.table, set: assignments(update.assignments), where: condition(update.condition),
                    returning: update.isReturning))
        case .delete(let delete):
            return .delete(
                Delete(from: layout.table, where: condition(delete.condition), returning: delete.isReturning))
        case .insert(let insert):
            var rows: [[Value]] = []
            for row in insert.rows { rows.append(try values(row, server)) }
            return .insert(
                Insert(
                    into: layout.table, rows: rows, onConflict: action(insert.onConflict),
                    returning: insert.isReturning))
        }
    }

    private func column(_ column: Column) -> Column { layout.table.columns[ordinals[column.ordinal]] }

    private func condition(_ condition: [Comparison]) -> [Comparison] {
        condition.map { Comparison(column($0.column), $0.comparisonOperator, $0.operands) }
    }

    private func assignments(_ assignments: [Assignment]) -> [Assignment] {
        assignments.map {
            switch $0 {
            case .set(let target, let value): .set(column(target), value)
            case .increment(let target, let amount): .increment(column(target), by: amount)
            case .setExcluded(let target): .setExcluded(column(target))
            }
        }
    }

    /// Columns that the client does not know are null.
    private func values(_ row: [Value], _ server: borrowing PostgresServer) throws(DatabaseError) -> [Value] {
        guard row.count == ordinals.count else {
            let text = "INSERT has \(row.count) expressions for \(ordinals.count) target columns"
            throw server.failure(SQLState(rawValue: "42601"), text)
        }
        var values = [Value](repeating: .null, count: layout.columnTypes.count)
        for (ordinal, value) in zip(ordinals, row) { values[ordinal] = value }
        return values
    }

    private func action(_ action: ConflictAction) -> ConflictAction {
        switch action {
        case .error, .doNothing(nil): action
        case .doNothing(let key?): .doNothing(key: self.key(key))
        case .doUpdate(let key, let assignments, let condition):
            .doUpdate(
                key: self.key(key), assignments: self.assignments(assignments), condition: self.condition(condition))
        }
    }

    /// The server's key of the same columns; the client's own, which the server then refuses, when it has none.
    private func key(_ key: UniqueKey) -> UniqueKey {
        let columns = key.columns.map { ordinals[$0] }
        return layout.keys.first { $0.columns == columns } ?? key
    }
}
