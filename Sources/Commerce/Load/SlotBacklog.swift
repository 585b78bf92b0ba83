/// How far the publisher of one replication slot is behind.
struct SlotBacklog: Hashable, Sendable {
    let service: String
    let slot: String
    /// Log that was written before it was asked, and that the slot has not confirmed.
    let byteCount: Int64
    /// Whether somebody reads it.
    let isActive: Bool
    /// `wal_status`: `lost` means that the server no longer has what the slot needs.
    let walStatus: String

    var isProblem: Bool { byteCount > 0 || walStatus == "lost" }

    var text: String {
        "\(slot): \(byteCount) bytes behind, \(isActive ? "read" : "read by nobody"), \(walStatus)"
    }
}

#if Production
    import AdapterPostgres
    import Ports

    /// Waits until every slot of the shop's databases has confirmed what was written before it was asked.
    struct SlotWatch: Sendable {
        let servers: RealServers
        let clock: any ServiceClock
        let limit: Nanoseconds

        /// - Returns: the backlog of each slot, once none has any, or when they have had time enough.
        func settledBacklogs() async throws -> [SlotBacklog] {
            let deadline = clock.monotonicNow + limit
            var backlogs: [SlotBacklog] = []
            for name in ShopComposition.serviceNames {
                let database = PostgresDatabase(try servers.postgres(name, purpose: "judge"))
                defer { database.close() }
                // What is written later, heartbeats among it, is nobody's backlog.
                let end = try await database.administer("SELECT pg_current_wal_lsn()").first?.first ?? nil
                var found: [SlotBacklog]
                repeat {
                    found = try await look(at: name, database, before: end)
                    if !found.contains(where: \.isProblem) || clock.monotonicNow > deadline { break }
                    try await clock.sleep(for: .milliseconds(500))
                } while true
                backlogs += found
            }
            return backlogs
        }

        private func look(
            at service: String, _ database: PostgresDatabase, before end: String?
        ) async throws -> [SlotBacklog] {
            let rows = try await database.administer(Self.query, [end])
            return rows.map { row in
                SlotBacklog(
                    service: service, slot: row[0] ?? "", byteCount: row[1].flatMap { Int64($0) } ?? .max,
                    isActive: row[2] == "t", walStatus: row[3] ?? "lost")
            }
        }

        private static let query = """
            SELECT slot_name, greatest(0, pg_wal_lsn_diff($1::pg_lsn, confirmed_flush_lsn))::bigint, active, wal_status
            FROM pg_replication_slots
            WHERE slot_type = 'logical' AND database = current_database() ORDER BY slot_name
            """
    }
#endif
