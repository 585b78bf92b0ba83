import Ports

extension PostgresServer {
    /// Brings the session's current statement into the form in which it is executed, before it starts.
    ///
    /// Nearly every statement is in that form: a client of another schema version numbers its columns differently, and
    /// a timestamp may be finer than the server's.
    mutating func prepareStatement(_ session: Int) throws(DatabaseError) {
        let index = sessions[session].statementIndex
        let number = try tableNumber(of: sessions[session].statements[index].table)
        sessions[session].progress.table = number
        let layout = tables[number].layout
        let declared = sessions[session].statements[index].table.columns
        if !Self.isSameDeclaration(declared, layout.table.columns) {
            let translation = try StatementTranslation(from: declared, to: layout, self)
            sessions[session].statements[index] =
                try translation.translate(sessions[session].statements[index], self)
            sessions[session].progress.projection = translation.ordinals
        }
        if Self.hasFineTimestamps(sessions[session].statements[index]) {
            sessions[session].statements[index] = Self.roundingTimestamps(sessions[session].statements[index])
        }
    }

    /// Rows as the client that sent the statement numbers their columns.
    mutating func projectRows(_ session: Int) {
        let ordinals = sessions[session].progress.projection
        guard !ordinals.isEmpty else { return }
        for index in sessions[session].progress.rows.indices {
            let values = sessions[session].progress.rows[index].values
            sessions[session].progress.rows[index] = Row(ordinals.map { values[$0] })
        }
    }

    private static func isSameDeclaration(_ left: [Column], _ right: [Column]) -> Bool {
        // Declarations are shared constants as a rule, so that the same storage decides it.
        let isSameStorage = left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { $0.baseAddress == left.baseAddress && $0.count == left.count }
        }
        return isSameStorage || left == right
    }

    // MARK: Timestamps

    private static func hasFineTimestamps(_ statement: Statement) -> Bool {
        switch statement {
        case .select(let select): hasFineTimestamps(select.condition)
        case .update(let update): hasFineTimestamps(update.condition)
        case .delete(let delete): hasFineTimestamps(delete.condition)
        case .insert(let insert):
            if case .doUpdate(_, _, let condition) = insert.onConflict { hasFineTimestamps(condition) } else { false }
        }
    }

    private static func hasFineTimestamps(_ condition: [Comparison]) -> Bool {
        for comparison in condition where comparison.column.type == .timestamp {
            for case .timestamp(let instant) in comparison.operands where !TimestampPrecision.isWhole(instant) {
                return true
            }
        }
        return false
    }

    private static func roundingTimestamps(_ statement: Statement) -> Statement {
        switch statement {
        case .select(var select):
            select.condition = rounding(select.condition)
            return .select(select)
        case .update(var update):
            update.condition = rounding(update.condition)
            return .update(update)
        case .delete(var delete):
            delete.condition = rounding(delete.condition)
            return .delete(delete)
        case .insert(var insert):
            if case .doUpdate(let key, let assignments, let condition) = insert.onConflict {
                insert.onConflict = .doUpdate(key: key, assignments: assignments, condition: rounding(condition))
            }
            return .insert(insert)
        }
    }

    private static func rounding(_ condition: [Comparison]) -> [Comparison] {
        condition.map {
            Comparison($0.column, $0.comparisonOperator, $0.operands.map { TimestampPrecision.rounded($0) })
        }
    }
}
