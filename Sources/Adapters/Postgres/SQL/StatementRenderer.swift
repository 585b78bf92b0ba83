#if Production
    import Ports

    extension RenderedStatement {
        /// Renders a statement of the algebra. Linear in its size; the text depends on its shape only.
        init(_ statement: Statement) {
            self.init(sql: "")
            switch statement {
            case .select(let select): render(select)
            case .insert(let insert): render(insert)
            case .update(let update): render(update)
            case .delete(let delete): render(delete)
            }
        }

        private mutating func render(_ select: Select) {
            sql = "SELECT \(Self.list(select.table.columns)) FROM \(Self.quoted(select.table.name))"
            sql += condition(select.condition, prefix: "")
            for (index, key) in select.sortKeys.enumerated() {
                sql += index == 0 ? " ORDER BY " : ", "
                sql += Self.quoted(key.column.name) + (key.isDescending ? " DESC" : "")
            }
            if let limit = select.limit { sql += " LIMIT \(bind(.value(.int64(Int64(limit)), .int64)))" }
            switch select.lock {
            case .none: isReadOnly = true
            case .forUpdate: sql += " FOR UPDATE"
            case .forUpdateSkipLocked: sql += " FOR UPDATE SKIP LOCKED"
            case .forUpdateNoWait: sql += " FOR UPDATE NOWAIT"
            }
            resultColumns = select.table.columns
        }

        private mutating func render(_ insert: Insert) {
            let table = insert.table
            for row in insert.rows {
                precondition(
                    row.count == table.columns.count,
                    "an insert into \(table.name) gives \(row.count) values for \(table.columns.count) columns")
            }
            sql = "INSERT INTO \(Self.quoted(table.name)) (\(Self.list(table.columns))) "
            if insert.rows.count == 1 {
                let values = table.columns.map { bind(.value(insert.rows[0][$0.ordinal], $0.type)) }
                sql += "VALUES (\(values.joined(separator: ", ")))"
            } else {
                // One array a column: the text is the same for any number of rows, and so is prepared once.
                let arrays = table.columns.map { column in
                    let values = insert.rows.map { $0[column.ordinal] }
                    return bind(.array(values, column.type)) + "::\(column.type.sqlName)[]"
                }
                sql += "SELECT * FROM unnest(\(arrays.joined(separator: ", ")))"
            }
            render(insert.onConflict, of: table)
            if insert.isReturning { returning(table) }
        }

        private mutating func render(_ action: ConflictAction, of table: Table) {
            switch action {
            case .error: break
            case .doNothing(nil): sql += " ON CONFLICT DO NOTHING"
            case .doNothing(let key?): sql += " ON CONFLICT ON CONSTRAINT \(Self.quoted(key.name)) DO NOTHING"
            case .doUpdate(let key, let assignments, let condition):
                sql += " ON CONFLICT ON CONSTRAINT \(Self.quoted(key.name)) DO UPDATE SET "
                let prefix = Self.quoted(table.name) + "."
                sql += self.assignments(assignments, of: table, prefix: prefix)
                sql += self.condition(condition, prefix: prefix)
            }
        }

        private mutating func render(_ update: Update) {
            sql = "UPDATE \(Self.quoted(update.table.name)) SET "
            sql += assignments(update.assignments, of: update.table, prefix: "")
            sql += condition(update.condition, prefix: "")
            if update.isReturning { returning(update.table) }
        }

        private mutating func render(_ delete: Delete) {
            sql = "DELETE FROM \(Self.quoted(delete.table.name))"
            sql += condition(delete.condition, prefix: "")
            if delete.isReturning { returning(delete.table) }
        }

        private mutating func returning(_ table: Table) {
            sql +=
                " RETURNING "
                + table.columns.map { "\(Self.quoted(table.name)).\(Self.quoted($0.name))" }
                .joined(separator: ", ")
            resultColumns = table.columns
        }

        private mutating func assignments(_ assignments: [Assignment], of table: Table, prefix: String) -> String {
            precondition(!assignments.isEmpty, "an update of \(table.name) assigns nothing")
            return assignments.map { assignment in
                let column = Self.quoted(assignment.column.name)
                switch assignment {
                case .set(let target, let value): return "\(column) = \(bind(.value(value, target.type)))"
                case .increment(_, let amount):
                    return "\(column) = \(prefix)\(column) + \(bind(.value(.int64(amount), .int64)))"
                case .setExcluded: return "\(column) = excluded.\(column)"
                }
            }
            .joined(separator: ", ")
        }

        private mutating func condition(_ comparisons: [Comparison], prefix: String) -> String {
            guard !comparisons.isEmpty else { return "" }
            return " WHERE " + comparisons.map { term($0, prefix: prefix) }.joined(separator: " AND ")
        }

        private mutating func term(_ comparison: Comparison, prefix: String) -> String {
            let column = prefix + Self.quoted(comparison.column.name)
            let type = comparison.column.type
            switch comparison.comparisonOperator {
            case .isNull: return "\(column) IS NULL"
            case .isNotNull: return "\(column) IS NOT NULL"
            case .isIn: return "\(column) = ANY(\(bind(.array(comparison.operands, type))))"
            case .equal: return "\(column) = \(bind(.value(comparison.operands[0], type)))"
            case .notEqual: return "\(column) <> \(bind(.value(comparison.operands[0], type)))"
            case .less: return "\(column) < \(bind(.value(comparison.operands[0], type)))"
            case .lessOrEqual: return "\(column) <= \(bind(.value(comparison.operands[0], type)))"
            case .greater: return "\(column) > \(bind(.value(comparison.operands[0], type)))"
            case .greaterOrEqual: return "\(column) >= \(bind(.value(comparison.operands[0], type)))"
            }
        }

        private static func list(_ columns: [Column]) -> String {
            columns.map { quoted($0.name) }.joined(separator: ", ")
        }

        /// Names are plain identifiers (a precondition of `Table`) and quoted only because some are key words.
        static func quoted(_ name: String) -> String { "\"\(name)\"" }
    }
#endif
