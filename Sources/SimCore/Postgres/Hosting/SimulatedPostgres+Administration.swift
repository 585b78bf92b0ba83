public import Ports

/// What an administrator does to a server.
extension SimulatedPostgres {
    /// Starts a checkpoint, as the command CHECKPOINT does; ``isCheckpointRunning`` says when it is over.
    public func startCheckpoint() { handle(.checkpointRequested) }

    public var isCheckpointRunning: Bool { server.isCheckpointRunning }

    /// Goes on in a new WAL segment (`pg_switch_wal`).
    public func switchWAL() { handle(.walSwitchRequested) }

    /// The configuration in force.
    public var settings: PostgresSettings { server.settings }

    /// Changes the configuration and reloads it (`ALTER SYSTEM`, `pg_reload_conf`). `max_connections` and the settings of
    /// standbys would need a restart on a real server.
    public func reload(_ settings: PostgresSettings) { handle(.settingsReloaded(settings)) }

    /// Ends every session with 57P01, the newest first (`pg_terminate_backend`).
    public func terminateSessions() {
        for connection in server.connectionsNewestFirst { handle(.terminated(connection)) }
    }

    /// Ends in good order: sessions get 57P01, everything is written, and then the process is down until it is started
    /// again.
    public func shutDown() { handle(.shutdownRequested) }

    /// What a statement that began now would see of a table, looked at from outside without any session, in no order that
    /// means anything. Linear in the rows of the table; empty when there is no such table.
    public func visibleRows(of table: String) -> [Row] { server.visibleRows(of: table) }
}

extension PostgresServer {
    fileprivate func visibleRows(of table: String) -> [Row] {
        guard let number = tableNumbers[table] else { return [] }
        let snapshot = StatementSnapshot(sequence: commitSequence, ownStamp: .max)
        return (0..<UInt32(tables[number].rowNumberBound)).compactMap { row in
            tables[number].visibleVersion(row: row, snapshot).map { Row(tables[number].values($0)) }
        }
    }
}
