#if Production
    import Ports

    /// The DDL that a declared table becomes.
    enum SchemaRenderer {
        /// Statements that create the table, or add to an older one what a newer declaration may add.
        static func statements(for table: Table) -> [String] {
            var statements = [create(table)]
            for column in table.columns {
                statements.append(
                    "ALTER TABLE \(quoted(table.name)) ADD COLUMN IF NOT EXISTS \(declaration(of: column))")
            }
            for index in table.indexes {
                statements.append(
                    "CREATE INDEX IF NOT EXISTS \(quoted(index.name)) ON \(quoted(table.name)) "
                        + "(\(names(index.columns, table)))")
            }
            return statements
        }

        static func create(_ table: Table) -> String {
            var lines = table.columns.map { declaration(of: $0) }
            lines.append(
                "CONSTRAINT \(quoted(table.primaryKey.name)) PRIMARY KEY (\(names(table.primaryKey.columns, table)))")
            for key in table.uniqueKeys {
                lines.append("CONSTRAINT \(quoted(key.name)) UNIQUE (\(names(key.columns, table)))")
            }
            for check in table.checks {
                let terms = check.condition.map(term).joined(separator: " AND ")
                lines.append("CONSTRAINT \(quoted(check.name)) CHECK (\(terms))")
            }
            return "CREATE TABLE IF NOT EXISTS \(quoted(table.name)) (\n    \(lines.joined(separator: ",\n    "))\n)"
        }

        private static func declaration(of column: Column) -> String {
            let collation = column.type == .text ? " COLLATE \"C\"" : ""
            return "\(quoted(column.name)) \(column.type.sqlName)\(collation)\(column.isNullable ? "" : " NOT NULL")"
        }

        private static func names(_ ordinals: [Int], _ table: Table) -> String {
            ordinals.map { quoted(table.columns[$0].name) }.joined(separator: ", ")
        }

        private static func quoted(_ name: String) -> String { RenderedStatement.quoted(name) }

        private static func term(_ comparison: Comparison) -> String {
            let column = quoted(comparison.column.name)
            let operands = comparison.operands.map(literal)
            switch comparison.comparisonOperator {
            case .equal: return "\(column) = \(operands[0])"
            case .notEqual: return "\(column) <> \(operands[0])"
            case .less: return "\(column) < \(operands[0])"
            case .lessOrEqual: return "\(column) <= \(operands[0])"
            case .greater: return "\(column) > \(operands[0])"
            case .greaterOrEqual: return "\(column) >= \(operands[0])"
            case .isIn: return operands.isEmpty ? "false" : "\(column) IN (\(operands.joined(separator: ", ")))"
            case .isNull: return "\(column) IS NULL"
            case .isNotNull: return "\(column) IS NOT NULL"
            }
        }

        /// DDL takes no parameters, so the constants of a check, which stand in the program, are written out.
        ///
        /// - Precondition: the constant is an integer, a boolean or text.
        private static func literal(_ value: Value) -> String {
            switch value {
            case .null: return "NULL"
            case .int64(let number): return String(number)
            case .bool(let flag): return flag ? "TRUE" : "FALSE"
            case .text(let text):
                return "'" + text.map { $0 == "'" ? "''" : String($0) }.joined() + "'"
            case .uuid, .timestamp, .json, .bytes:
                preconditionFailure("a check compares with \(value); only integers, booleans and text are supported")
            }
        }
    }
#endif
