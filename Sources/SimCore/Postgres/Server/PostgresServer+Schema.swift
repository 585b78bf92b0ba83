import Ports

extension PostgresServer {
    /// Creates the tables that the schema declares and the server does not have.
    mutating func migrate(_ session: Int, _ schema: Schema) {
        for table in schema.tables where tableNumbers[table.name] == nil {
            tableNumbers[table.name] = tables.count
            tables.append(TableStore(TableLayout(table)))
        }
        schemaVersion = max(schemaVersion, schema.version)
        finishRequest(session, .done)
    }
}
