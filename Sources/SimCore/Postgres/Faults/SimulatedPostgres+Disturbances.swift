import Ports

/// What faults make of a simulated server.
extension SimulatedPostgres {
    /// What faults have set while they last. A crash ends all of it.
    struct Disturbance {
        /// WAL that is flushed here does not leave for the standby.
        var holdsWALBack = false
        /// The process that crashes next is replaced by a standby with the WAL up to there.
        var promotedLSN: LSN?
        /// Whose connections use up the limit.
        var exhaustion: FaultInstanceID?
        /// Connections of nobody: their client is the fault.
        var connections: ContiguousArray<PostgresConnectionID> = []
    }

    /// Connections of faults have numbers that the transport never gives.
    private static func connectionID(_ fault: FaultInstanceID, _ number: Int) -> PostgresConnectionID {
        PostgresConnectionID(0xFFFF_FFFF_0000_0000 | UInt64(fault.rawValue & 0xFFFF) << 16 | UInt64(number & 0xFFFF))
    }

    /// Whether there is a server to be disturbed: one that runs and accepts connections.
    var isDisturbable: Bool { simulation.state(of: process) == .running && !server.isRecovering }

    // MARK: Long transactions

    /// Opens a transaction that stays open. Returns its connection; `nil` when there was no room for it.
    func openTransaction(_ fault: FaultInstanceID) -> PostgresConnectionID? {
        let connection = Self.connectionID(fault, 0)
        return disturb { $0.openTransaction(on: connection) } ? connection : nil
    }

    /// Ends it, unless a crash has. The fault took effect once for each slot that was held back until now.
    func endTransaction(_ connection: PostgresConnectionID, _ fault: FaultInstanceID) {
        let heldBackCount = disturb { server in
            let count = server.slotsHeldBack(by: connection)
            server.terminate(connection)
            return count
        }
        for _ in 0..<heldBackCount { simulation.faults.tookEffect(fault) }
    }

    // MARK: Exhaustion

    /// Takes every connection but `freeCount` of those that the server allows.
    func exhaustConnections(_ fault: FaultInstanceID, leaving freeCount: Int) {
        disturbance.exhaustion = fault
        let connections = disturb { server in
            server.terminateIdleSessions()
            var opened: ContiguousArray<PostgresConnectionID> = []
            while server.connectionCount < server.settings.maximumConnections - freeCount {
                let connection = Self.connectionID(fault, opened.count + 1)
                server.openConnection(connection)
                opened.append(connection)
            }
            return opened
        }
        disturbance.connections += connections
    }

    func endExhaustion(_ fault: FaultInstanceID) {
        guard disturbance.exhaustion == fault else { return }
        let connections = disturbance.connections
        disturbance.exhaustion = nil
        disturbance.connections = []
        disturb { server in
            for connection in connections { server.terminate(connection) }
        }
    }

    // MARK: Bulk loads

    private static let bulkPieceByteCount = 16 << 20

    /// Writes that much WAL, 16 MB every 50 ms, and starts a checkpoint at the end.
    func startBulkLoad(_ fault: FaultInstanceID, megabytes: Int) {
        loadBulk(fault, pieceCount: max(1, megabytes << 20 / Self.bulkPieceByteCount))
    }

    func loadBulk(_ fault: FaultInstanceID, pieceCount: Int) {
        guard isDisturbable else { return }
        guard pieceCount > 0 else {
            let lostCount = disturb { $0.checkpointAndCountLostSlots() }
            for _ in 0..<lostCount { simulation.faults.tookEffect(fault) }
            return
        }
        disturb { $0.writeBulk(byteCount: Self.bulkPieceByteCount) }
        schedule(
            .bulkLoad, after: .milliseconds(50), first: UInt64(fault.rawValue), second: UInt64(pieceCount - 1))
    }
}
