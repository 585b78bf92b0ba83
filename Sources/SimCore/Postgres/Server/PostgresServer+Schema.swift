import Ports

extension PostgresServer {
    /// Creates tables, nullable columns and indexes that the schema declares and the server lacks.
    ///
    /// A transaction of its own, like the adapter's. A schema older than the recorded one is refused.
    mutating func migrate(_ session: Int, _ schema: Schema) {
        guard schema.version >= schemaVersion else {
            let text = "schema \(schema.name) has version \(schema.version), the database has \(schemaVersion) already"
            finishRequest(session, .failure(failure(.objectNotInPrerequisiteState, text)))
            return
        }
        // All or nothing: it is one transaction.
        for table in schema.tables {
            if let number = tableNumbers[table.name], let error = obstacle(number, to: table) {
                finishRequest(session, .failure(error))
                return
            }
        }
        for table in schema.tables {
            if let number = tableNumbers[table.name] {
                let old = tables[number].layout.table
                if table.columns != old.columns || table.indexes != old.indexes {
                    tables[number].relayOut(TableLayout(table))
                }
            } else {
                tableNumbers[table.name] = tables.count
                tables.append(TableStore(TableLayout(table)))
            }
        }
        schemaVersion = schema.version
        finishRequest(session, .done)
    }

    /// Why a table cannot be given the columns and indexes that a newer declaration adds; `nil` when it can.
    private func obstacle(_ number: Int, to declared: Table) -> DatabaseError? {
        let old = tables[number].layout.table
        if declared.columns == old.columns && declared.indexes == old.indexes { return nil }
        guard declared.columns.starts(with: old.columns) else {
            let text = "a newer schema only adds columns, at the end: table \(old.name) has others"
            return failure(.featureNotSupported, text)
        }
        guard declared.columns[old.columns.count...].allSatisfy(\.isNullable) else {
            return failure(.notNullViolation, "a column added to table \(old.name) must be nullable")
        }
        guard declared.primaryKey == old.primaryKey, declared.uniqueKeys == old.uniqueKeys,
            declared.checks == old.checks
        else {
            return failure(.featureNotSupported, "a newer schema cannot change keys or checks of table \(old.name)")
        }
        if sessions.contains(where: { $0.progress.isStarted }) {
            // ALTER TABLE needs the table for itself; the adapter's runs under a lock_timeout.
            return failure(.lockNotAvailable, "canceling statement due to lock timeout")
        }
        return nil
    }
}

extension PostgresServer {
    /// Row versions in all tables, dead ones included: what vacuum keeps flat.
    public var storedVersionCount: Int { tables.reduce(0) { $0 + $1.versionCount } }
}
