import Ports

extension PostgresServer {
    /// The table that a statement names.
    ///
    /// - Throws: 42P01 when there is none.
    func tableNumber(of table: Table) throws(DatabaseError) -> Int {
        guard let number = tableNumbers[table.name] else {
            throw failure(.undefinedTable, "relation \"\(table.name)\" does not exist")
        }
        return number
    }

    // MARK: Conditions

    func validate(_ condition: [Comparison], _ layout: TableLayout) throws(DatabaseError) {
        var index = 0
        while index < condition.count {
            try validate(condition[index], layout)
            index += 1
        }
    }

    private func validate(_ comparison: Comparison, _ layout: TableLayout) throws(DatabaseError) {
        let type = layout.columnTypes[comparison.column.ordinal]
        for operand in comparison.operands {
            guard let operandType = operand.type else { continue }
            guard operandType == type else {
                throw failure(
                    .datatypeMismatch,
                    "column \"\(comparison.column.name)\" is of type \(type) but the operand is of type \(operandType)")
            }
            if type == .text || type == .json { _ = try storedForm(operand) }
        }
        if type == .json && comparison.comparisonOperator.isInequality {
            throw failure(
                .featureNotSupported, "ordering of json column \"\(comparison.column.name)\" is not supported")
        }
    }

    func validate(_ sortKeys: [SortKey]) throws(DatabaseError) {
        for sortKey in sortKeys where sortKey.column.type == .json {
            throw failure(.featureNotSupported, "ordering of json column \"\(sortKey.column.name)\" is not supported")
        }
    }

    // MARK: Assignments

    func validate(_ assignments: [Assignment], _ layout: TableLayout, isOnConflict: Bool) throws(DatabaseError) {
        var assigned: UInt64 = 0
        for assignment in assignments {
            let column = assignment.column
            let bit: UInt64 = 1 << UInt64(column.ordinal)
            if assigned & bit != 0 {
                let text = "multiple assignments to same column \"\(column.name)\""
                throw failure(SQLState(rawValue: "42601"), text)
            }
            assigned |= bit
            let type = layout.columnTypes[column.ordinal]
            switch assignment {
            case .set(_, let value):
                if let found = value.type, found != type { throw mismatch(column.name, type, found) }
            case .increment:
                if type != .int64 { throw mismatch(column.name, type, .int64) }
            case .setExcluded:
                if !isOnConflict {
                    throw failure(.featureNotSupported, "excluded is known in ON CONFLICT DO UPDATE only")
                }
            }
        }
    }

    func validate(_ action: ConflictAction, _ layout: TableLayout) throws(DatabaseError) {
        let wanted: UniqueKey
        switch action {
        case .error, .doNothing(nil): return
        case .doNothing(let key?): wanted = key
        case .doUpdate(let key, let assignments, let condition):
            wanted = key
            try validate(assignments, layout, isOnConflict: true)
            try validate(condition, layout)
        }
        guard layout.keys.contains(wanted) else {
            let text = "there is no unique or exclusion constraint matching the ON CONFLICT specification"
            throw failure(SQLState(rawValue: "42P10"), text)
        }
    }

    // MARK: Rows

    /// The values as the table keeps them.
    ///
    /// - Throws: 42601 for the wrong number of values, 42804, 23502, 23514, 22021, 22P05.
    func storable(_ values: [Value], _ layout: TableLayout) throws(DatabaseError) -> [Value] {
        guard values.count == layout.columnTypes.count else {
            let text = "INSERT has \(values.count) expressions for \(layout.columnTypes.count) target columns"
            throw failure(SQLState(rawValue: "42601"), text)
        }
        var stored = values
        var index = 0
        while index < values.count {
            if let found = values[index].type {
                let type = layout.columnTypes[index]
                if found != type { throw mismatch(layout.table.columns[index].name, type, found) }
                if case .stored = StoredForm.look(at: values[index]) {
                } else {
                    stored[index] = try storedForm(values[index])
                }
            } else {
                let column = layout.table.columns[index]
                if !column.isNullable { throw notNullViolation(column, layout) }
            }
            index += 1
        }
        if !layout.checks.isEmpty { try checkConstraints(stored, layout, .max) }
        return stored
    }

    /// - Parameter changed: the columns that changed, as bits.
    func checkConstraints(_ values: [Value], _ layout: TableLayout, _ changed: UInt64) throws(DatabaseError) {
        for column in layout.table.columns
        where !column.isNullable && changed & 1 << UInt64(column.ordinal) != 0 && values[column.ordinal].isNull {
            throw notNullViolation(column, layout)
        }
        for check in layout.checks where RowCondition.isViolated(check.condition, by: values) {
            let text = "new row for relation \"\(layout.table.name)\" violates check constraint \"\(check.name)\""
            throw failure(.checkViolation, text, constraint: check.name)
        }
    }

    func notNullViolation(_ column: Column, _ layout: TableLayout) -> DatabaseError {
        let text = "null value in column \"\(column.name)\" of relation \"\(layout.table.name)\""
        return failure(.notNullViolation, text + " violates not-null constraint")
    }

    private func mismatch(_ column: String, _ type: ColumnType, _ found: ColumnType) -> DatabaseError {
        failure(.datatypeMismatch, "column \"\(column)\" is of type \(type) but expression is of type \(found)")
    }
}
