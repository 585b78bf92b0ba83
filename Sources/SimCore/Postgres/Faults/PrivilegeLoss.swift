import Ports

extension PostgresFaults {
    /// Somebody revokes the privileges on a table, as a migration gone wrong does: statements on it fail with 42501, which no
    /// retry cures, until they are granted again. What fails for good meanwhile is left to people, as after any such mistake.
    /// Source: PostgreSQL documentation, 5.8 Privileges, Appendix A (`insufficient_privilege`).
    static func privilegeLoss(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "privilege-loss", summary: "the privileges on a table of the targets are revoked for a while",
            targets: .processes,
            parameters: [
                // Which table, in the order of their creation, counted around.
                FaultParameter("table", unit: "", default: 0, in: 0...31)
            ],
            lasting: .milliseconds(200)...(.seconds(10))
        ) { injection in
            var revoked: [(server: SimulatedPostgres, table: Int)] = []
            for server in servers.disturbable(injection) {
                let table = Int(injection.parameter("table"))
                if let number = server.revokePrivileges(onTable: table) { revoked.append((server, number)) }
            }
            return {
                for (server, table) in revoked {
                    for _ in 0..<server.grantPrivileges(onTable: table) { injection.tookEffect() }
                }
            }
        }
    }
}

extension SimulatedPostgres {
    /// Returns the number of the table that it is now; `nil` when the server has none.
    fileprivate func revokePrivileges(onTable position: Int) -> Int? {
        disturb { server in
            guard !server.tables.isEmpty else { return nil }
            let table = position % server.tables.count
            server.revocations.append(PostgresServer.Revocation(table: table))
            return table
        }
    }

    /// Returns how many statements were refused meanwhile. What is granted is written in the catalogue: it needs no server that
    /// runs, and no crash takes it back.
    fileprivate func grantPrivileges(onTable table: Int) -> Int {
        disturb { server in
            guard let index = server.revocations.firstIndex(where: { $0.table == table }) else { return 0 }
            return server.revocations.remove(at: index).refusalCount
        }
    }
}

extension PostgresServer {
    /// That nobody but its owner may use a table.
    struct Revocation {
        let table: Int
        var refusalCount = 0
    }

    /// - Throws: 42501 when the session may not use the table that its statement names.
    mutating func requirePrivilege(_ session: Int) throws(DatabaseError) {
        let table = try tableNumber(of: sessions[session].statements[sessions[session].statementIndex].table)
        guard let index = revocations.firstIndex(where: { $0.table == table }) else { return }
        revocations[index].refusalCount += 1
        throw failure(
            .insufficientPrivilege, "permission denied for table \(tables[table].layout.table.name)")
    }
}

extension SQLState {
    static let insufficientPrivilege = SQLState(rawValue: "42501")
}
